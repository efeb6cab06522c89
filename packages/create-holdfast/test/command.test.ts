import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { create, startCreating } from './command.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'create-holdfast-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

describe('given a shell without a terminal', () => {
  test('when a choice is missing, it ends with 2 and lists the flags', async () => {
    const { code, stdout, stderr } = await create(cwd, 'shop')
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('--edge fastify')
    expect(stderr).toContain('--edge express')
    expect(readdirSync(cwd)).toEqual([])
  })

  test.each([
    [['../etc', '--edge', 'koa'], 'no edge "koa"'],
    [['shop', '--edge', 'express', '--store', 'mysql'], 'no store "mysql"'],
    [['My Shop', '--edge', 'express'], '--name my-shop'],
    [['shop', '--edge', 'express', '--colour'], "Unknown option '--colour'"],
    [['.', '--edge', 'express', '--name', 'shop'], 'where you are'],
  ])('when it is asked %j, it ends with 2 in one plain line', async (args, words) => {
    const { code, stderr } = await create(cwd, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(words)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(readdirSync(cwd)).toEqual([])
  })

  test('when the place is taken, nothing in it changes', async () => {
    mkdirSync(join(cwd, 'shop'))
    writeFileSync(join(cwd, 'shop/thesis.txt'), '')
    const { code, stderr } = await create(cwd, 'shop', '--yes', '--no-install')
    expect(code).toBe(2)
    expect(stderr).toContain('thesis.txt')
    expect(readdirSync(join(cwd, 'shop'))).toEqual(['thesis.txt'])
  })
})

describe('given a dry run', () => {
  test('when JSON is asked for, it prints the plan and writes nothing', async () => {
    const flags = ['--edge', 'express', '--store', 'mongodb', '--dry-run', '--json']
    const { code, stdout } = await create(cwd, 'shop', ...flags)
    expect(code).toBe(0)
    const plan = JSON.parse(stdout)
    expect(plan).toMatchObject({
      directory: join(cwd, 'shop'),
      name: 'shop',
      edge: 'express',
      store: 'mongodb',
      layers: ['base', 'edge-express', 'store-mongodb'],
      written: false,
      installed: false,
      next: expect.arrayContaining([
        'cd shop',
        'npm install',
        'docker compose up -d --wait',
        'npm test',
        'npm run dev',
      ]),
    })
    expect(plan.files).toContainEqual({ path: 'src/edge.ts', layers: ['edge-express'], bytes: expect.any(Number) })
    expect(readdirSync(cwd)).toEqual([])
  })

  test('when it is for people, it lists the files', async () => {
    const { code, stdout } = await create(cwd, 'shop', '--yes', '--dry-run')
    expect(code).toBe(0)
    expect(stdout).toContain('\n  src/app.ts\n')
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('given a write in the middle', () => {
  const untilStaged = async (): Promise<void> => {
    const endsAt = performance.now() + 10_000
    while (readdirSync(cwd).length === 0 && performance.now() < endsAt) await pause(1)
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'when %s comes, it ends with 130 and leaves nothing',
    async (signal) => {
      const child = startCreating(cwd, 'shop', '--edge', 'fastify', '--no-install')
      await untilStaged()
      child.kill(signal)
      expect(await once(child, 'exit')).toEqual([130, null])
      expect(readdirSync(cwd)).toEqual([])
    },
  )

  test('when it is killed, the place stays free, and the next one sweeps and takes it', async () => {
    const child = startCreating(cwd, 'shop', '--edge', 'fastify', '--no-install')
    await untilStaged()
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(join(cwd, 'shop'))).toBe(false)
    const { code } = await create(cwd, 'shop', '--edge', 'fastify', '--no-install')
    expect(code).toBe(0)
    expect(readdirSync(cwd)).toEqual(['shop'])
  })
})
