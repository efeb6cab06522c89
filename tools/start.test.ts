// Accident: the first command of the README breaks on one edge, and every newcomer leaves before anybody notices.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const script = join(import.meta.dirname, 'start.ts')
let demos: string
beforeAll(() => {
  demos = mkdtempSync(join(tmpdir(), 'holdfast-demos-'))
})
afterAll(() => {
  // For root, the data of a demo does not lie in it.
  for (const folder of [demos, ...dataFolders]) rmSync(folder, { recursive: true, force: true })
})

const dataFolders = new Set<string>()
let running: Demo[] = []
afterEach(async () => {
  for (const { child } of running) if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
  for (const { output } of running)
    for (const [, folder] of output().matchAll(/^ +data: "(.+)"$/gm)) dataFolders.add(String(folder))
  running = []
})

interface Demo {
  readonly child: ChildProcess
  readonly output: () => string
}

function start(...args: string[]): Demo {
  // A database that is not the demo's, and that nobody could reach.
  const env = { ...process.env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/somebodys', NO_COLOR: '1' }
  const child = spawn(process.execPath, [script, '--into', demos, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const demo = { child, output: () => output }
  running.push(demo)
  return demo
}

async function shows({ child, output }: Demo, words: string): Promise<void> {
  const endsAt = performance.now() + 100_000
  while (!output().includes(words)) {
    if (child.exitCode !== null || performance.now() > endsAt) throw new Error(`It never said "${words}":\n${output()}`)
    await pause(50)
  }
}

const linesToTry = (output: string): string[] => output.split('\n').filter((line) => line.startsWith('  curl '))
const statusOf = (line: string): string =>
  execFileSync('sh', ['-c', `${line} -o /dev/null -w '%{http_code}'`], { encoding: 'utf8' })

describe.each(['fastify', 'express'])('given no demo on %s', (edge) => {
  test('when it is started, its five lines answer; stopped and started again, it is reused', async () => {
    const first = start('--edge', edge)
    await shows(first, 'Ctrl-C stops it')
    expect(first.output()).toContain('Assembling')
    const lines = linesToTry(first.output())
    expect(lines.map(statusOf)).toEqual(['200', '200', '201', '400', '404'])

    first.child.kill('SIGINT')
    expect(await once(first.child, 'exit')).toEqual([0, null])
    expect(processesIn(join(demos, edge))).toEqual([])

    const second = start('--edge', edge)
    await shows(second, 'Ctrl-C stops it')
    expect(second.output()).not.toContain('Assembling')
    expect(linesToTry(second.output()).map(statusOf)).toEqual(['200', '200', '201', '400', '404'])
  }, 150_000)
})

describe('given a start that cannot go on', () => {
  test.each([
    [['--edge', 'koa'], "There is no edge 'koa'. Use: npm start"],
    [['--port', '70000'], "'70000' is no port"],
    [['--verbose'], "Unknown option '--verbose'"],
  ])('when it is asked %j, it ends with one line that helps', async (args, words) => {
    const { child, output } = start(...args)
    await once(child, 'close')
    expect(child.exitCode).toBe(1)
    expect(output()).toContain(words)
    expect(output().trim().split('\n')).toHaveLength(1)
  })

  test('when the port asked for is taken, it says so before it does anything', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    const { child, output } = start('--port', String(port))
    await once(child, 'close')
    holder.close()
    expect(child.exitCode).toBe(1)
    expect(output()).toMatch(new RegExp(`^holdfast: Port ${port} is taken.*--port ${port + 1}\n$`))
  })

  test('when it is interrupted while assembling, nothing half-made is taken for a demo', async () => {
    const into = mkdtempSync(join(tmpdir(), 'holdfast-demos-'))
    const demo = start('--into', into)
    await shows(demo, 'Assembling')
    demo.child.kill('SIGTERM')
    await once(demo.child, 'close')
    expect(demo.child.exitCode).toBe(143)
    expect(readdirSync(into)).toEqual([])
    rmSync(into, { recursive: true })
  }, 60_000)
})

/** Command lines of what still runs below a folder. */
function processesIn(folder: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return all.filter((line) => line.includes(folder) && !line.startsWith('ps '))
}
