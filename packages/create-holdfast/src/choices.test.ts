import { describe, expect, test } from 'vitest'
import { type Ask, completeChoices } from './choices.ts'
import type { Flags } from './options.ts'

const open: Flags = {
  directory: undefined,
  edge: undefined,
  store: undefined,
  name: undefined,
  yes: false,
  dryRun: false,
  json: false,
  install: true,
}

describe('given nobody to ask', () => {
  test('when flags leave something open, the refusal lists what to say', async () => {
    const refusal = completeChoices(open, '/srv', undefined)
    await expect(refusal).rejects.toMatchObject({ exitCode: 2 })
    await expect(refusal).rejects.toThrow(/<directory>[^]*--edge fastify[^]*--edge express/)
  })

  test('when only the edge is open, only that is listed', async () => {
    const refusal = completeChoices({ ...open, directory: 'shop' }, '/srv', undefined)
    await expect(refusal).rejects.not.toThrow(/<directory>/)
  })

  test('when only the store is open, it is postgres, so that commands from before there was a choice still work', async () => {
    const choices = completeChoices({ ...open, directory: 'shop', edge: 'express' }, '/srv', undefined)
    await expect(choices).resolves.toMatchObject({ edge: 'express', store: 'postgres' })
  })

  test('when the defaults are taken, they are fastify, postgres and the name of the folder', async () => {
    const choices = await completeChoices({ ...open, directory: 'teams/shop', yes: true }, '/srv', undefined)
    expect(choices).toEqual({ directory: '/srv/teams/shop', name: 'shop', edge: 'fastify', store: 'postgres' })
  })

  test('when the folder has no name that would do, another one can be given', async () => {
    const flags: Flags = { ...open, directory: 'My Shop', edge: 'express' }
    await expect(completeChoices(flags, '/srv', undefined)).rejects.toThrow('--name my-shop')
    await expect(completeChoices({ ...flags, name: 'my-shop' }, '/srv', undefined)).resolves.toMatchObject({
      directory: '/srv/My Shop',
      name: 'my-shop',
    })
  })
})

describe('given somebody to ask', () => {
  const asked: string[] = []
  const ask: Ask = {
    directory: async () => (asked.push('directory'), 'asked-for'),
    edge: async () => (asked.push('edge'), 'express'),
    store: async () => (asked.push('store'), 'mongodb'),
  }

  test('when flags leave something open, only that is asked', async () => {
    asked.length = 0
    await completeChoices({ ...open, directory: 'shop', store: 'mongodb' }, '/srv', ask)
    expect(asked).toEqual(['edge'])
  })

  test('when flags say nothing, all is asked', async () => {
    asked.length = 0
    const choices = await completeChoices(open, '/srv', ask)
    expect(asked).toEqual(['directory', 'edge', 'store'])
    expect(choices).toEqual({ directory: '/srv/asked-for', name: 'asked-for', edge: 'express', store: 'mongodb' })
  })
})
