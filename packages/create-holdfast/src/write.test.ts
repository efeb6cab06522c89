import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PlannedFile } from './plan.ts'
import { type WriteOptions, writeService } from './write.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'create-holdfast-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

const files: PlannedFile[] = [
  { path: 'README.md', layers: [], text: 'hello' },
  { path: 'src/deep/main.ts', layers: [], text: 'code' },
]
const tarball: PlannedFile = { path: 'vendor/library.tgz', layers: [], packFrom: '/sources' }

const write = (options: Partial<WriteOptions> = {}) =>
  writeService({
    directory: join(parent, 'shop'),
    files,
    pack: async (_folder, file) => writeFileSync(file, 'tarball'),
    signal: new AbortController().signal,
    ...options,
  })

describe('given a free place', () => {
  test('when a service is written, it is there, whole, alone, and open to others as any folder', async () => {
    await write({ files: [...files, tarball] })
    expect(readdirSync(parent)).toEqual(['shop'])
    expect(readdirSync(join(parent, 'shop'), { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'README.md',
      'src',
      'src/deep',
      'src/deep/main.ts',
      'vendor',
      'vendor/library.tgz',
    ])
    expect(statSync(join(parent, 'shop')).mode & 0o777).toBe(0o777 & ~process.umask())
  })

  test('when the folder exists and is empty, it is taken', async () => {
    mkdirSync(join(parent, 'shop'))
    await write()
    expect(readFileSync(join(parent, 'shop/README.md'), 'utf8')).toBe('hello')
  })

  test('when folders on the way are missing, they are made', async () => {
    await write({ directory: join(parent, 'teams/a/shop') })
    expect(readdirSync(join(parent, 'teams/a'))).toEqual(['shop'])
  })

  test('when the way leads through a link, its target is meant', async () => {
    mkdirSync(join(parent, 'real'))
    symlinkSync('real', join(parent, 'link'))
    await write({ directory: join(parent, 'link/shop') })
    expect(readdirSync(join(parent, 'real'))).toEqual(['shop'])
  })

  test('when an attempt was killed before, what it left is swept, and what still runs is not', async () => {
    const dead = '.shop.unfinished-999999999-abcdef'
    const alive = `.shop.unfinished-${process.pid}-abcdef`
    for (const name of [dead, alive, '.shop.unfinished-notes']) mkdirSync(join(parent, name))
    await write()
    expect(readdirSync(parent).toSorted()).toEqual([alive, '.shop.unfinished-notes', 'shop'].toSorted())
  })
})

describe('given a place that is taken', () => {
  test('when something is in the folder, it stays, and the refusal names it', async () => {
    mkdirSync(join(parent, 'shop'))
    writeFileSync(join(parent, 'shop/thesis.txt'), 'years of work')
    await expect(write()).rejects.toThrow(/not empty \(thesis\.txt is there\)/)
    expect(readdirSync(join(parent, 'shop'))).toEqual(['thesis.txt'])
  })

  test('when a file is there, it stays', async () => {
    writeFileSync(join(parent, 'shop'), 'a file')
    await expect(write()).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('is a file') })
    expect(readFileSync(join(parent, 'shop'), 'utf8')).toBe('a file')
  })

  test.each(['elsewhere', 'nowhere'])('when a link to %s is there, it is not followed', async (target) => {
    mkdirSync(join(parent, 'elsewhere'))
    symlinkSync(target, join(parent, 'shop'))
    await expect(write()).rejects.toThrow('is a link')
    expect(lstatSync(join(parent, 'shop')).isSymbolicLink()).toBe(true)
    expect(readdirSync(join(parent, 'elsewhere'))).toEqual([])
  })

  test('when a link that leads nowhere is on the way, it is not made real', async () => {
    symlinkSync('nowhere', join(parent, 'link'))
    await expect(write({ directory: join(parent, 'link/shop') })).rejects.toThrow('leads nowhere')
    expect(readdirSync(parent)).toEqual(['link'])
  })

  test('when a file is on the way, the refusal says so', async () => {
    writeFileSync(join(parent, 'file'), '')
    await expect(write({ directory: join(parent, 'file/shop') })).rejects.toThrow('a part of that path is a file')
  })

  test('when it fills up while we write, what came stays', async () => {
    const pack = async (_folder: string, file: string): Promise<void> => {
      writeFileSync(file, '')
      mkdirSync(join(parent, 'shop'))
      writeFileSync(join(parent, 'shop/theirs.txt'), '')
    }
    await expect(write({ files: [...files, tarball], pack })).rejects.toMatchObject({ exitCode: 1 })
    expect(readdirSync(parent)).toEqual(['shop'])
    expect(readdirSync(join(parent, 'shop'))).toEqual(['theirs.txt'])
  })
})

describe('given a write that does not come to its end', () => {
  test('when a step fails, nothing is left', async () => {
    const pack = () => Promise.reject(new Error('no space'))
    await expect(write({ files: [...files, tarball], pack })).rejects.toThrow('no space')
    expect(readdirSync(parent)).toEqual([])
  })

  test('when it is interrupted, nothing is left', async () => {
    const abort = new AbortController()
    const pack = async (): Promise<void> => abort.abort()
    await expect(write({ files: [tarball, ...files], pack, signal: abort.signal })).rejects.toMatchObject({
      exitCode: 130,
    })
    expect(readdirSync(parent)).toEqual([])
  })

  test('when folders were made on the way to it and packing fails, these are gone too', async () => {
    const directory = join(parent, 'a/b/shop')
    const pack = () => Promise.reject(new Error('no tarball'))
    await expect(write({ directory, files: [...files, tarball], pack })).rejects.toThrow('no tarball')
    expect(readdirSync(parent)).toEqual([])
  })

  test('when it is interrupted after the last file, nothing is left', async () => {
    const abort = new AbortController()
    const pack = async (): Promise<void> => abort.abort()
    await expect(write({ files: [...files, tarball], pack, signal: abort.signal })).rejects.toMatchObject({
      exitCode: 130,
    })
    expect(readdirSync(parent)).toEqual([])
  })

  test.each(['../outside.txt', '/outside.txt', 'a/../../outside.txt', '.'])(
    'when the plan names %s, it is not written',
    async (path) => {
      await expect(write({ files: [{ path, layers: [], text: '' }] })).rejects.toThrow('leaves the service')
      expect(readdirSync(parent)).toEqual([])
    },
  )
})
