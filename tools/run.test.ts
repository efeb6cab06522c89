// Accident: the two commands of the README are tried by their author only, on a machine where all is installed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findMissing } from './complete-lock.mjs'

let house: string
beforeEach(() => {
  house = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-house-')))
  for (const file of globSync('*.mjs', { cwd: import.meta.dirname })) {
    cpSync(join(import.meta.dirname, file), join(house, 'tools', file))
  }
  put('package.json', JSON.stringify({ name: 'house', private: true, type: 'module', dependencies: { wood: '1.0.0' } }))
  putLock({ 'node_modules/wood': { version: '1.0.0' } })
})
afterEach(() => rmSync(house, { recursive: true, force: true, maxRetries: 3 }))

function put(path: string, text: string) {
  const file = join(house, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

function putLock(packages: Record<string, object>) {
  const root = { name: 'house', dependencies: { wood: '1.0.0' } }
  put('package-lock.json', JSON.stringify({ name: 'house', lockfileVersion: 3, packages: { '': root, ...packages } }))
}

/** What npm leaves behind: its record, and the Node that comes along. */
function putModules(version = '1.0.0') {
  put('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/wood': { version } } }))
  const bundled = join(house, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin')
  mkdirSync(bundled, { recursive: true })
  if (!existsSync(join(bundled, 'node'))) symlinkSync(process.execPath, join(bundled, 'node'))
}

/** A program of node_modules/.bin. */
function putProgram(name: string, code: string) {
  put(`node_modules/.bin/${name}`, code)
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess & { output: string } {
  const { npm_execpath: _, NODE_OPTIONS: __, ...inherited } = process.env
  const child = spawn(process.execPath, [join(house, 'tools/run.mjs'), ...args], {
    cwd: tmpdir(),
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const running = Object.assign(child, { output: '' })
  child.stdout.on('data', (chunk) => (running.output += String(chunk)))
  child.stderr.on('data', (chunk) => (running.output += String(chunk)))
  return running
}

async function run(args: readonly string[], env?: NodeJS.ProcessEnv) {
  const child = start(args, env)
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { exitCode, output: child.output, lines: child.output.trimEnd().split('\n') }
}

async function until(isTrue: () => boolean) {
  while (!isTrue()) await pause(20)
}

function isAlive(pid: number) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Lets the runner believe it runs elsewhere. */
function pretend(version: string, platform: string = process.platform) {
  const file = put(
    'pretend.cjs',
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })
     Object.defineProperty(process, 'platform', { value: '${platform}' })`,
  )
  return { NODE_OPTIONS: `--require ${file}` }
}

describe('given a machine that cannot run this', () => {
  test('an old Node is named in one line', async () => {
    const { exitCode, output } = await run(['test'], pretend('18.20.4'))
    expect(output).toBe(
      'holdfast: Node 18.20.4 is too old to start from. Install Node 24, then run the command again.\n',
    )
    expect(exitCode).toBe(1)
  })

  test('a platform without a Node of its own is refused before anything is installed', async () => {
    const { exitCode, lines } = await run(['start'], pretend('20.19.0', 'darwin'))
    expect(lines).toEqual([
      expect.stringMatching(/^holdfast: .*runs on 20\.19\.0; for darwin-\w+ no Node.*Install Node 24/),
    ])
    expect(exitCode).toBe(1)
  })

  test('a bundled Node that does not run is replaced by a recent one, and refused beside an old one', async () => {
    putModules()
    const bundled = join(house, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
    rmSync(bundled)
    writeFileSync(bundled, 'for another machine')
    chmodSync(bundled, 0o755)
    put('tools/start.ts', `console.log(process.execPath)`)
    expect((await run(['start'])).lines).toEqual([process.execPath])
    const { exitCode, lines } = await run(['start'], pretend('20.19.0'))
    expect(lines).toEqual([expect.stringMatching(/does not run here\. Install Node 24/)])
    expect(exitCode).toBe(1)
  })

  test('the bundled Node is taken, unless HOLDFAST_NODE=own', async () => {
    putModules()
    const bundled = join(house, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
    put('tools/start.ts', `console.log(process.env.NODE, process.env.PATH.split(':')[0])`)
    expect((await run(['start'])).lines).toEqual([`${bundled} ${dirname(bundled)}`])
    const { lines } = await run(['start'], { HOLDFAST_NODE: 'own' })
    expect(lines).toEqual([`${process.execPath} ${dirname(process.execPath)}`])
  })

  test('an unknown command lists the known ones', async () => {
    const { exitCode, lines } = await run(['tset'])
    expect(lines).toEqual([expect.stringMatching(/no command 'tset'.*start, bench, test/)])
    expect(exitCode).toBe(1)
  })
})

describe('given a clone without node_modules', () => {
  const nowhere = () => ({
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_fetch_retries: '0',
    npm_config_cache: join(house, '.npm'),
  })

  test('without network, one line says what, why and what to do', async () => {
    const { exitCode, lines } = await run(['test'], nowhere())
    expect(lines).toEqual([
      'Installing dependencies (npm ci) …',
      expect.stringMatching(
        /^holdfast: Dependencies could not be installed: the npm registry does not answer \(ECONNREFUSED\)\. Connect/,
      ),
    ])
    expect(exitCode).toBe(1)
    expect(readFileSync(join(house, '.data/install.log'), 'utf8')).toContain('ECONNREFUSED')
  })

  test.each([
    ['EUSAGE', /package-lock\.json does not fit package\.json\. Run "npm install"/],
    ['ENOSPC', /the disk is full\. Make room/],
    ['EINTEGRITY', /npm ci ended with EINTEGRITY: checksum failed\./],
  ])('when npm ends with %s, one line says what to do', async (code, words) => {
    const npm = put(
      'bin/npm',
      `#!/bin/sh\necho 'npm warn x\nnpm error code ${code}\nnpm error checksum failed' >&2; exit 1`,
    )
    chmodSync(npm, 0o755)
    const { exitCode, lines } = await run(['test'], { PATH: `${dirname(npm)}:/bin:/usr/bin` })
    expect(lines).toEqual(['Installing dependencies (npm ci) …', expect.stringMatching(words)])
    expect(exitCode).toBe(1)
  })

  test('without npm, it says so', async () => {
    const { exitCode, output } = await run(['test'], { PATH: '/nowhere' })
    expect(output).toMatch(/there is no npm on the PATH/)
    expect(exitCode).toBe(1)
  })
})

describe('given an npm that installs in half a second', () => {
  // Counts its runs, clears the record first and writes it last, as npm does.
  const putNpm = () => {
    const npm = put(
      'bin/npm',
      `#!${process.execPath}
      const fs = require('node:fs')
      fs.appendFileSync('installs.txt', process.argv.slice(2).join(' ') + '\\n')
      fs.rmSync('node_modules/.package-lock.json', { force: true })
      setTimeout(() => fs.writeFileSync('node_modules/.package-lock.json', fs.readFileSync('package-lock.json')), 500)`,
    )
    chmodSync(npm, 0o755)
    put('bin/package.json', '{}')
    return { PATH: dirname(npm) }
  }
  const installs = () =>
    existsSync(join(house, 'installs.txt')) ? readFileSync(join(house, 'installs.txt'), 'utf8').trim().split('\n') : []
  beforeEach(() => {
    putModules()
    put('tools/start.ts', `console.log('started')`)
  })

  test('what is installed is left alone', async () => {
    expect((await run(['start'], putNpm())).lines).toEqual(['started'])
    expect(installs()).toEqual([])
  })

  test('another version in the lock file is installed, development packages included', async () => {
    putModules('0.9.0')
    const { output } = await run(['start'], { ...putNpm(), NODE_ENV: 'production' })
    expect(output).toMatch(/^Installing dependencies .*\nInstalled in [\d.]+ s\nstarted\n$/)
    expect(installs()).toEqual(['ci --ignore-scripts --no-audit --no-fund --include=dev --include=optional'])
  })

  test('three runs at the same moment install once', async () => {
    putModules('0.9.0')
    const env = putNpm()
    const runs = await Promise.all([run(['start'], env), run(['start'], env), run(['start'], env)])
    expect(runs.map(({ exitCode, lines }) => [exitCode, lines.at(-1)])).toEqual([
      [0, 'started'],
      [0, 'started'],
      [0, 'started'],
    ])
    expect(installs()).toHaveLength(1)
    expect(globSync('.data/*', { cwd: house })).toEqual([])
  })

  test('the lock of a run that was killed is taken over', async () => {
    putModules('0.9.0')
    const lock = put('.data/install.lock', 'someone who is gone')
    utimesSync(lock, new Date(0), new Date(0))
    expect((await run(['start'], putNpm())).lines.at(-1)).toBe('started')
    expect(globSync('.data/*', { cwd: house })).toEqual([])
  })
})

describe('given a program that was started', () => {
  // Reports each signal; called `stubborn`, it has a child of its own that ignores them all.
  const program = `
    import { spawn } from 'node:child_process'
    const deaf = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'
    const child = spawn(process.execPath, ['-e', process.argv[2] === 'stubborn' ? deaf : ''])
    const pause = setInterval(() => {}, 1000)
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
      console.log(signal)
      if (process.argv[2] === 'twice' && !globalThis.once) globalThis.once = true
      else setTimeout(() => process.exit(7), 100)
    })
    console.log('pids ' + process.pid + ' ' + child.pid)
  `
  const pidsOf = (child: { output: string }) => (/pids (\d+) (\d+)/.exec(child.output)?.slice(1) ?? []).map(Number)
  beforeEach(() => {
    putModules()
    put('tools/start.ts', program)
  })

  test('arguments and exit code pass through', async () => {
    put('tools/start.ts', `console.log(process.argv.slice(2).join(' ')); process.exitCode = 3`)
    expect(await run(['start', '--edge', 'express'])).toMatchObject({ exitCode: 3, output: '--edge express\n' })
  })

  test('Ctrl-C, heard twice through terminal and npm, arrives once and leaves no process', async () => {
    const child = start(['start', 'stubborn'])
    await until(() => pidsOf(child).length === 2)
    child.kill('SIGINT')
    await pause(30)
    child.kill('SIGINT')
    const [exitCode] = (await once(child, 'close')) as [number]
    expect(exitCode).toBe(7)
    expect(child.output.match(/SIGINT/g)).toHaveLength(1)
    expect(pidsOf(child).filter(isAlive)).toEqual([])
  })

  test('a second wish to stop, later, passes too', async () => {
    const child = start(['start', 'twice'])
    await until(() => pidsOf(child).length === 2)
    child.kill('SIGINT')
    await pause(700)
    child.kill('SIGINT')
    await once(child, 'close')
    expect(child.output.match(/SIGINT/g)).toHaveLength(2)
  })

  test('when the runner is killed outright, the program is told to stop', async () => {
    const child = start(['start'])
    await until(() => pidsOf(child).length === 2)
    const [pid = 0] = pidsOf(child)
    child.kill('SIGKILL')
    await until(() => !isAlive(pid))
    expect(child.output).toContain('SIGTERM')
  })

  test('a program that dies by a signal reports it as a shell does', async () => {
    put('tools/start.ts', `process.kill(process.pid, 'SIGKILL')`)
    expect((await run(['start'])).exitCode).toBe(137)
  })
})

describe('given checks', () => {
  const passing = ['tsc', 'oxlint', 'oxfmt', 'knip']
  const putVitest = (testResults: object | undefined, exitCode: number) =>
    putProgram(
      'vitest',
      `const file = process.argv.find((arg) => arg.startsWith('--outputFile.json=')).split('=')[1]
       const results = ${JSON.stringify(testResults) ?? 'undefined'}
       if (results) require('node:fs').writeFileSync(file, JSON.stringify({ testResults: results }))
       console.log('vitest ' + process.argv.at(-1))
       process.exitCode = ${exitCode}`,
    )
  const suite = (status: string, ...statuses: string[]) => ({
    status,
    assertionResults: statuses.map((each) => ({ status: each })),
  })
  beforeEach(() => {
    putModules()
    put('node_modules/.bin/package.json', '{}')
    for (const name of passing) putProgram(name, `console.log('${name} ran')`)
  })

  test('they run in order, and the last line adds the tests and one for each check', async () => {
    putVitest([suite('passed', 'passed', 'passed', 'skipped', 'todo', 'pending')], 0)
    const { exitCode, output, lines } = await run(['test', '-t', 'words'])
    expect(output).toMatch(
      /tsc ran\nbuild +ok +[\d.]+ s\noxlint ran\nlint .*\noxfmt ran\nformat .*\nknip ran\nunused .*\nvitest words\ntests/,
    )
    expect(lines.at(-1)).toBe('6 passed, 0 failed, 3 skipped')
    expect(exitCode).toBe(0)
  })

  test('`test` stops at the first failure and counts the rest as skipped', async () => {
    putProgram('oxlint', `process.exitCode = 2`)
    const { exitCode, output, lines } = await run(['test'])
    expect(output).toMatch(/lint +FAILED/)
    expect(output).not.toMatch(/oxfmt ran/)
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 3 skipped')
    expect(exitCode).toBe(1)
  })

  test('`check` goes on after a failure', async () => {
    putProgram('tsc', `process.exitCode = 2`)
    putVitest([suite('failed', 'passed', 'failed')], 1)
    const { exitCode, lines } = await run(['check'])
    expect(lines.at(-1)).toBe('4 passed, 2 failed, 0 skipped')
    expect(exitCode).toBe(1)
  })

  test('a test file that did not load is a failure', async () => {
    putVitest([suite('passed', 'passed'), suite('failed')], 1)
    expect((await run(['test'])).lines.at(-1)).toBe('5 passed, 1 failed, 0 skipped')
  })

  test('Vitest ending without a report is a failure', async () => {
    putVitest(undefined, 0)
    expect((await run(['test'])).lines.at(-1)).toBe('4 passed, 1 failed, 0 skipped')
    putVitest([suite('passed', 'passed')], 1)
    expect((await run(['test'])).lines.at(-1)).toBe('5 passed, 1 failed, 0 skipped')
  })

  test('a build first removes what no source stands behind', async () => {
    for (const kept of ['src/kept.ts', 'dist/kept.js', 'dist/kept.d.ts.map', 'dist/notes.txt'])
      put(`packages/a/${kept}`, '')
    for (const stale of ['gone.js', 'gone.js.map', 'deep/gone.d.ts']) put(`packages/a/dist/${stale}`, '')
    await run(['build'])
    const left = globSync('packages/a/dist/**/*.*', { cwd: house }).toSorted()
    expect(left).toEqual(['kept.d.ts.map', 'kept.js', 'notes.txt'].map((file) => `packages/a/dist/${file}`))
  })

  test('one check alone keeps its exit code and takes arguments', async () => {
    putProgram('oxlint', `console.log(process.argv.at(-1)); process.exitCode = 2`)
    expect(await run(['lint', '--fix'])).toMatchObject({ exitCode: 2, output: '--fix\n' })
  })
})

describe('given the lock file of this repository', () => {
  test('it lists every optional package, so that `npm ci` accepts it on each platform', () => {
    const lock = JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8'))
    expect(findMissing(lock.packages).size, 'run "node tools/complete-lock.mjs"').toBe(0)
  })

  test('a package that is only named is found missing', () => {
    const packages = {
      'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-darwin': '1.0.0' } },
      'node_modules/a-linux': {},
      'node_modules/b/node_modules/a': { optionalDependencies: { inner: '2.0.0', 'a-linux': '1.0.0' } },
      'node_modules/b/node_modules/inner': {},
    }
    expect([...findMissing(packages)]).toEqual([['node_modules/a-darwin', '1.0.0']])
  })
})
