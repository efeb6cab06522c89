// Accident: the first command of the README breaks on one edge, and every newcomer leaves before anybody notices.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const script = join(import.meta.dirname, 'start.ts')
let demos: string
beforeAll(() => {
  demos = mkdtempSync(join(tmpdir(), 'holdfast-demos-'))
  mkdirSync(join(demos, 'bin'))
  writeFileSync(join(demos, 'bin/curl'), standIn, { mode: 0o755 })
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
    for (const [, folder] of output().matchAll(/"data":"([^"]+)"/g)) dataFolders.add(String(folder))
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

/** What it says to try, as one script. */
function scriptOf(output: string): string {
  const lines = output.split('\n')
  const from = lines.lastIndexOf('Try, from top to bottom') + 1
  return lines.slice(from, lines.indexOf('', from)).join('\n')
}

/** Pastes it all into a shell, where a stand-in for curl notes the status of each answer. */
async function statusesOf(output: string): Promise<number[]> {
  const notes = join(demos, 'statuses')
  rmSync(notes, { force: true })
  const env = { ...process.env, PATH: `${join(demos, 'bin')}${delimiter}${process.env['PATH']}`, STATUSES: notes }
  const shell = spawn('sh', ['-eu'], { env, stdio: ['pipe', 'ignore', 'inherit'] })
  shell.stdin.end(scriptOf(output))
  expect(await once(shell, 'exit')).toEqual([0, null])
  return readFileSync(notes, 'utf8').trim().split('\n').map(Number)
}

// For machines that have no curl. Refuses words that it does not know, so that no line gets by untried.
const standIn = `#!${process.execPath}
const { appendFileSync } = require('node:fs')
const words = process.argv.slice(2)
const call = { url: '', headers: new Headers(), body: undefined }
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  if (word === '-H') call.headers.append(...words.shift().split(': '))
  else if (word === '-d') call.body = words.shift()
  else if (word.startsWith('http://')) call.url = word
  else if (!/^-si?$/.test(word)) throw new Error('What is ' + word + '?')
}
const { url, headers, body } = call
fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body }).then(async (response) => {
  appendFileSync(process.env.STATUSES, response.status + '\\n')
  process.stdout.write(await response.text())
})
`

// Products, one of them, login, who am I, created; ordered, out of stock, my orders, sales; invalid, not signed in,
// refreshed, not there.
const statuses = [200, 200, 200, 200, 201, 201, 409, 200, 200, 400, 401, 200, 404]

describe.each(['fastify', 'express'])('given no demo on %s', (edge) => {
  test('when it is started, its lines answer; stopped and started again, it is reused', async () => {
    const first = start('--edge', edge)
    await shows(first, 'Ctrl-C stops it')
    expect(first.output()).toContain('Assembling')
    expect(await statusesOf(first.output())).toEqual(statuses)

    first.child.kill('SIGINT')
    expect(await once(first.child, 'exit')).toEqual([0, null])
    expect(processesIn(join(demos, edge))).toEqual([])

    const second = start('--edge', edge)
    await shows(second, 'Ctrl-C stops it')
    expect(second.output()).not.toContain('Assembling')
    expect(await statusesOf(second.output())).toEqual(statuses)
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
  const all = existsSync('/proc/self/cmdline')
    ? fromProc()
    : execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return all.filter((line) => line.includes(folder))
}

function fromProc(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      // It ended while we looked.
      return ''
    }
  })
}
