import { describe, expect, test } from 'vitest'
import { WriteMarks } from './write-marks.ts'

const never = Number.NEGATIVE_INFINITY

describe('given marks of who wrote when', () => {
  test('when a session or a request has written, its own last write counts, and nobody else’s', () => {
    const marks = new WriteMarks()
    const [request, other] = [{}, {}]
    marks.note(['ann'], request, 1)
    marks.note(['ann'], undefined, 3)
    marks.note(['bob', 'carl'], undefined, 2)
    expect(marks.wroteAt(['ann'], undefined)).toBe(3)
    expect(marks.wroteAt([], request)).toBe(1)
    expect(marks.wroteAt(['bob'], request)).toBe(2)
    expect(marks.wroteAt(['dora', 'carl'], undefined)).toBe(2)
    expect(marks.wroteAt(['dora'], other)).toBe(never)
    expect(marks.wroteAt([], undefined)).toBe(never)
  })

  test('when they are full, they stay so large, and whoever is forgotten is taken to have written when he did', () => {
    const marks = new WriteMarks()
    for (let at = 0; at < 30_000; at += 1) marks.note([`s${at}`], undefined, at)
    expect(marks.size).toBe(10_000)
    expect(marks.wroteAt(['s19999'], undefined)).toBe(19_999)
    expect(marks.wroteAt(['who did not write'], undefined)).toBe(19_999)
    expect(marks.wroteAt(['s20000'], undefined)).toBe(20_000)
  })

  test('when they are full and the same write again and again, nobody else is held up by that', () => {
    const marks = new WriteMarks()
    for (let at = 0; at < 10_000; at += 1) marks.note([`s${at}`], undefined, at)
    for (let at = 10_000; at < 40_000; at += 1) marks.note([`s${at % 10_000}`], undefined, at)
    expect(marks.wroteAt(['who did not write'], undefined)).toBe(never)
    marks.note(['new'], undefined, 40_000)
    expect(marks.wroteAt(['who did not write'], undefined)).toBe(30_000)
    expect(marks.size).toBe(10_000)
  })
})
