import { generateKey } from 'holdfast/auth'
import { startEmbeddedRedis } from 'holdfast/embedded-redis'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanEnvironment, create, repository, type Result, run } from './command.ts'
import { startStore, type StoreUnderTest } from './stores.ts'

const variants = (['postgres', 'mongodb'] as const).flatMap((store) =>
  (['fastify', 'express'] as const).map((edge) => ({ edge, store })),
)

describe.each(variants)('given a service assembled on $edge and $store', ({ edge, store: storeName }) => {
  let parent: string
  let service: string
  let outcome: Result
  let store: StoreUnderTest
  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'create-holdfast-'))
    service = join(parent, 'shop')
    store = await startStore[storeName]()
    outcome = await create(parent, 'shop', '--edge', edge, '--store', storeName, '--json')
  }, 120_000)
  afterAll(async () => {
    rmSync(parent, { recursive: true, force: true })
    await store.stop()
  })

  const npm = (...args: string[]) => run(service, 'npm', args, cleanEnvironment(store.testEnv))

  test('its command says that all is written and installed, and what comes next', () => {
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      written: true,
      installed: true,
      store: storeName,
      next: expect.arrayContaining(['cd shop', 'npm test', 'npm run dev']),
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
    expect(Number(/^ℹ pass (\d+)$/m.exec(tests.stdout)?.[1])).toBeGreaterThan(60)
    expect(types.code, types.stdout).toBe(0)
  }, 120_000)

  test('built, it serves real servers in production from migration to SIGTERM', async () => {
    const built = await npm('run', 'build')
    expect(built.code, built.stdout).toBe(0)

    const image = await installAsImage(service, join(parent, 'image'))
    const redis = await startEmbeddedRedis()
    const port = await freePort()
    const forTasks = cleanEnvironment({ NODE_ENV: 'production', ...store.env })
    const env = {
      ...forTasks,
      REDIS_URL: redis?.url,
      AUTH_KEYS: JSON.stringify({ keys: [generateKey()] }),
      PORT: String(port),
      DRAIN_DELAY_MS: '200',
    }
    try {
      const early = await run(image, process.execPath, ['dist/main.js'], env)
      expect(early.code).toBe(1)
      expect(early.stdout).toContain('Run the migrations')

      // Who migrates needs neither keys nor Redis.
      const migrated = await run(service, process.execPath, ['dist/migrate.js'], forTasks)
      expect(migrated.code, migrated.stderr).toBe(0)

      const child = spawn(process.execPath, ['dist/main.js'], {
        cwd: image,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let log = ''
      child.stdout.on('data', (chunk) => (log += String(chunk)))
      const url = `http://127.0.0.1:${port}`
      expect(await becomesReady(url), log).toBe(true)
      await signInAndWork(url, store)

      child.kill('SIGTERM')
      expect(await once(child, 'exit')).toEqual([0, null])
      expect(log).not.toMatch(/tarred rope|argon2id|eyJ|editor@example/)
    } finally {
      await redis?.stop()
    }
  }, 120_000)

  test('unbuilt, it serves without further ado, restarts on change, and ends in order', async () => {
    const port = await freePort()
    const env = cleanEnvironment({ ...store.developmentEnv, PORT: String(port) })
    // An embedded database migrates by itself.
    const isEmbedded = Object.keys(store.developmentEnv).length === 0
    if (!isEmbedded) expect((await run(service, process.execPath, ['src/migrate.ts'], env)).code).toBe(0)
    const child = spawn(process.execPath, ['--watch', 'src/main.ts'], {
      cwd: service,
      env,
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

  test('when production lacks its servers and its keys, or development what is not embedded, it says so', async () => {
    const start = (env: NodeJS.ProcessEnv) => run(service, process.execPath, ['src/main.ts'], cleanEnvironment(env))
    const production = await start({ NODE_ENV: 'production' })
    expect(production.code).toBe(78)
    for (const setting of [...Object.keys(store.env), 'REDIS_URL', 'AUTH_KEYS']) {
      expect(production.stderr).toContain(`${setting} is missing`)
    }
    if (storeName === 'postgres') return
    const development = await start({})
    expect(development.code).toBe(78)
    expect(development.stderr.match(/.* is missing: .*/g)).toEqual([
      expect.stringMatching(/MONGODB_URL is missing: no MongoDB is embedded.*docker compose up -d/),
    ])
  })

  test('in all of this the store was asked for nothing that it does not know', () => {
    expect(store.defects).toEqual([])
  })
})

/** What a person does first: register, sign in, work, refresh, sign out. */
async function signInAndWork(url: string, store: StoreUnderTest): Promise<void> {
  const account = { email: 'editor@example.com', password: 'tarred rope' }
  const product = { sku: 'ROPE-20M', name: 'Tarred rope', priceCents: 4999, stock: 1 }
  expect((await post(`${url}/products`, product)).status).toBe(401)
  expect((await post(`${url}/auth/register`, account)).status).toBe(202)
  await store.makeEditor(account.email)

  const login = await post(`${url}/auth/login`, account)
  expect(login.status).toBe(200)
  const { accessToken, refreshToken } = await dataOf(login)
  const created = await post(`${url}/products`, product, accessToken)
  expect(created.status).toBe(201)
  const location = String(created.headers.get('location'))
  expect((await fetch(url + location)).status).toBe(200)
  const order = { items: [{ productId: location.split('/').at(-1), quantity: 1 }] }
  expect((await post(`${url}/orders`, order, accessToken)).status).toBe(201)
  expect((await post(`${url}/orders`, order, accessToken)).status).toBe(409)
  expect((await post(`${url}/products`, { sku: 'no such sku' }, accessToken)).status).toBe(400)

  const refreshed = await post(`${url}/auth/refresh`, { refreshToken })
  expect(refreshed.status).toBe(200)
  const next = await dataOf(refreshed)
  expect((await post(`${url}/auth/logout`, { refreshToken: next.refreshToken })).status).toBe(204)
  for (const token of [accessToken, next.accessToken]) {
    expect((await post(`${url}/products`, product, token)).status).toBe(401)
  }
  expect((await post(`${url}/auth/refresh`, { refreshToken: next.refreshToken })).status).toBe(401)
}

interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

const dataOf = async (response: Response): Promise<Tokens> =>
  ((await response.json()) as { readonly data: Tokens }).data

/** What the last stage of the Dockerfile holds. */
async function installAsImage(service: string, image: string): Promise<string> {
  for (const name of ['package.json', 'package-lock.json', 'vendor', 'dist', 'migrations'])
    if (existsSync(join(service, name))) cpSync(join(service, name), join(image, name), { recursive: true })
  const command = /^FROM base AS dependencies\n(?:#.*\n)*RUN (.+)$/m.exec(
    readFileSync(join(service, 'Dockerfile'), 'utf8'),
  )?.[1]
  const { code, stderr } = await run(image, 'sh', ['-c', String(command)])
  if (code !== 0) throw new Error(`${command}: ${stderr}`)
  return image
}

const listFiles = (path: string): string[] =>
  statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => listFiles(join(path, name))) : [path]

const post = (url: string, body?: unknown, token?: string) =>
  fetch(url, {
    method: 'POST',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

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
