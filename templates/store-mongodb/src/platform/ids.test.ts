import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { createId } from './ids.ts'

describe('given ids', () => {
  test('when they are made at different times, they are in the order of these', () => {
    const times = [0, 1, 255, 256, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1]
    const ids = times.map((time) => createId(time))
    assert.deepEqual(ids, ids.toSorted())
    for (const id of ids) assert.ok(z.uuidv7().safeParse(id).success, id)
  })

  test('when many are made at one time, no two are the same', () => {
    assert.equal(new Set(Array.from({ length: 10_000 }, () => createId(1))).size, 10_000)
  })
})
