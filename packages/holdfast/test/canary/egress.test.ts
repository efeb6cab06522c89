import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { findFaults, gather, isOrder, toComparable } from './claims.ts'
import type { Sighting } from './service.child.ts'
import { canary } from './thrown.ts'

const child = fileURLToPath(new URL('service.child.ts', import.meta.url))
const environments = [undefined, 'production', 'development', 'test'] as const

/** Runs the whole matrix in a process of its own, because frameworks read NODE_ENV once. */
function sightingsUnder(nodeEnv: string | undefined): Promise<Sighting[]> {
  const { NODE_ENV: _, ...env } = process.env
  return new Promise((resolve, reject) => {
    const sightings: Sighting[] = []
    const running = fork(child, { env: nodeEnv === undefined ? env : { ...env, NODE_ENV: nodeEnv }, execArgv: [] })
    running.on('message', (message: Sighting[] | 'done') => {
      if (message === 'done') {
        running.disconnect()
        resolve(sightings)
      } else sightings.push(...message)
    })
    running.on('error', reject)
    running.on('exit', (code) => reject(new Error(`The service ended with ${code}`)))
  })
}

describe.each(environments)('given each layer of a service throws, under NODE_ENV %s', (nodeEnv) => {
  let sightings: Sighting[] = []
  beforeAll(async () => {
    sightings = await sightingsUnder(nodeEnv)
  }, 120_000)

  const layersOf = (edge: string): string[] => [
    ...new Set(sightings.filter((one) => one.edge === edge).map(({ layer }) => layer)),
  ]

  test.each(['express', 'fastify'])('when any value is thrown on %s, the reply is bare and the log has all', (edge) => {
    expect(layersOf(edge).length).toBeGreaterThan(30)
    const faults = sightings
      .filter((one) => one.edge === edge)
      .flatMap((one) => [...findFaults(one)].map((fault) => [one.layer, one.value, fault] as const))
    expect(gather(faults)).toEqual([])
  })

  test('when an edge answers, the other answers in the same bytes', () => {
    const others = new Map(
      sightings.filter(({ edge }) => edge === 'fastify').map((one) => [`${one.layer} throws ${one.value}`, one]),
    )
    const differences = sightings
      .filter((one) => one.edge === 'express' && !isOrder(one))
      .flatMap((one) => {
        const name = `${one.layer} throws ${one.value}`
        const left = toComparable(one.response)
        const right = toComparable(others.get(name)?.response ?? '')
        return left === right ? [] : [`${name}:\n${left.slice(0, 600)}\n  against\n${right.slice(0, 600)}`]
      })
    expect(differences).toEqual([])
  })

  test('when an Error is thrown, its text, its causes and its stack stand in what pino writes', () => {
    const told = sightings.filter(
      ({ value, layer }) =>
        value === 'an Error with causes' && !layer.startsWith('logger') && !layer.includes('broken query'),
    )
    const incomplete = told.filter(({ lines: text }) => text.split(canary).length < 4 || !text.includes('thrown.ts'))
    expect(incomplete.map(({ edge, layer }) => `${layer} on ${edge}`)).toEqual([])
  })
})
