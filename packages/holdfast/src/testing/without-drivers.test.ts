import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const entry = new URL('../entry/testing.ts', import.meta.url).href

/** Runs a module in a process where every package that is optional is missing. */
async function run(script: string): Promise<unknown> {
  const code = `
    import { isBuiltin, registerHooks } from 'node:module'
    registerHooks({
      resolve(name, context, next) {
        if (isBuiltin(name) || /^(file:|\\.)/.test(name)) return next(name, context)
        throw Object.assign(new Error('There is no package ' + name), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })
    const testing = await import(${JSON.stringify(entry)})
    const failure = (work) => work.then(() => 'it worked', (error) => String(error))
    console.log(JSON.stringify(await (${script})()))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code])
  return JSON.parse(stdout)
}

describe('given a service without PostgreSQL and its driver', () => {
  test('when it imports what is for tests, it gets all of it', async () => {
    const names = await run('async () => Object.keys(testing)')
    expect(names).toEqual(expect.arrayContaining(['createManualClock', 'neverCommit', 'createDatabaseTemplate']))
  })

  test('when it uses what needs the driver, it is told which one; a database of something else is refused', async () => {
    const options = `{ adminUrl: 'postgres://localhost/db', key: 'k', prepare() {} }`
    expect(await run(`() => failure(testing.createDatabaseTemplate(${options}))`)).toContain('no package pg')
    expect(await run(`() => failure(testing.neverCommit({}))`)).toContain('TypeError')
  })
})
