import { startEmbeddedPostgres, createTestDatabase } from 'holdfast/embedded-postgres'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanEnvironment, create, repository, type Result, run } from './command.ts'

describe.each(['fastify', 'express'] as const)('given a service assembled on %s', (edge) => {
  let parent: string
  let service: string
  let outcome: Result
  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'create-holdfast-'))
    service = join(parent, 'shop')
    outcome = await create(parent, 'shop', '--edge', edge, '--json')
  }, 120_000)
  afterAll(() => rmSync(parent, { recursive: true, force: true }))

  const npm = (...args: string[]) => run(service, 'npm', args)

  test('its command says that all is written and installed, and what comes next', () => {
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      written: true,
      installed: true,
      next: ['cd shop', 'npm test', 'npm run dev'],
    })
  })

  test('none of its files, nor of the library it installed, names a path of the repository', () => {
    const own = readdirSync(service).filter((name) => name !== 'node_modules')
    const files = [...own, 'node_modules/holdfast', 'node_modules/.package-lock.json'].flatMap((name) =>
      listFiles(join(service, name)),
    )
    expect(files.length).toBeGreaterThan(50)
    expect(files.filter((file) => readFileSync(file, 'latin1').includes(repository))).toEqual([])
  })

  test('its own tests and its type check pass', async () => {
    const [tests, types] = [await npm('test'), await npm('run', 'typecheck')]
    expect(tests.code, tests.stdout + tests.stderr).toBe(0)
    expect(Number(/^ℹ pass (\d+)$/m.exec(tests.stdout)?.[1])).toBeGreaterThan(15)
    expect(types.code, types.stdout).toBe(0)
  }, 120_000)

  test('built, it serves a real database in production from migration to SIGTERM', async () => {
    const built = await npm('run', 'build')
    expect(built.code, built.stdout).toBe(0)

    const image = await installAsImage(service, join(parent, 'image'))
    const server = await startEmbeddedPostgres()
    const { url: databaseUrl } = await createTestDatabase({ adminUrl: server.url })
    const port = await freePort()
    const env = cleanEnvironment({
      NODE_ENV: 'production',
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      DRAIN_DELAY_MS: '200',
    })
    try {
      const early = await run(image, process.execPath, ['dist/main.js'], env)
      expect(early.code).toBe(1)
      expect(early.stdout).toContain('npm run migrate')

      const migrated = await run(service, process.execPath, ['dist/migrate.js'], env)
      expect(migrated.code, migrated.stderr).toBe(0)

      const child = spawn(process.execPath, ['dist/main.js'], {
        cwd: image,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child.stdout.resume()
      const url = `http://127.0.0.1:${port}`
      expect(await becomesReady(url)).toBe(true)
      const created = await post(`${url}/products`, { sku: 'ROPE-20M', name: 'Tarred rope', priceCents: 4999 })
      expect(created.status).toBe(201)
      expect((await fetch(url + created.headers.get('location'))).status).toBe(200)
      expect((await post(`${url}/products`, { sku: 'no such sku' })).status).toBe(400)

      child.kill('SIGTERM')
      expect(await once(child, 'exit')).toEqual([0, null])
    } finally {
      await server.stop()
    }
  }, 120_000)

  test('unbuilt, it serves an embedded database, restarts on change, and ends in order', async () => {
    const port = await freePort()
    const child = spawn(process.execPath, ['--watch', 'src/main.ts'], {
      cwd: service,
      env: cleanEnvironment({ PORT: String(port) }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
    const readied = async (times: number): Promise<void> => {
      for (
        const endsAt = performance.now() + 20_000;
        output.split('The service is ready').length <= times;
        await pause(50)
      )
        if (performance.now() > endsAt) throw new Error(`It was not ready ${times} times:\n${output}`)
    }
    await readied(1)
    // Node starts watching a file some time after it has loaded it.
    await pause(500)
    utimesSync(join(service, 'src/app.ts'), new Date(), new Date())
    await readied(2)
    expect((await fetch(`http://127.0.0.1:${port}/products`)).status).toBe(200)
    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    expect(code, output).toBe(0)
    expect(output).toMatch(/The service has stopped \{"exitCode":0\}\n$/)
    // For root it does not lie in the service.
    const data = /"data":"([^"]+)"/.exec(output)?.[1]
    if (data !== undefined) rmSync(data, { recursive: true, force: true })
  }, 60_000)

  test('when production lacks its database, it says so and ends with 78', async () => {
    const { code, stderr } = await run(
      service,
      process.execPath,
      ['src/main.ts'],
      cleanEnvironment({ NODE_ENV: 'production' }),
    )
    expect(code).toBe(78)
    expect(stderr).toContain('DATABASE_URL is missing')
  })
})

/** What the last stage of the Dockerfile holds. */
async function installAsImage(service: string, image: string): Promise<string> {
  for (const name of ['package.json', 'package-lock.json', 'vendor', 'dist', 'migrations'])
    cpSync(join(service, name), join(image, name), { recursive: true })
  const flags = /^FROM base AS dependencies\nRUN npm (.+)$/m.exec(
    readFileSync(join(service, 'Dockerfile'), 'utf8'),
  )?.[1]
  const { code, stderr } = await run(image, 'npm', String(flags).split(' '))
  if (code !== 0) throw new Error(`npm ${flags}: ${stderr}`)
  return image
}

const listFiles = (path: string): string[] =>
  statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => listFiles(join(path, name))) : [path]

const post = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

async function becomesReady(url: string): Promise<boolean> {
  for (const endsAt = performance.now() + 15_000; performance.now() < endsAt; await pause(50)) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined)
    if (response?.ok) return true
  }
  return false
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
