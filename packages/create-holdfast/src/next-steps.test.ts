import { describe, expect, test } from 'vitest'
import type { StoreName } from './layers.ts'
import { nextCommands, type Outcome, toText } from './next-steps.ts'

const outcome = (directory: string, isInstalled = false, store: StoreName = 'postgres'): Outcome => ({
  choices: { directory, name: 'shop', edge: 'fastify', store },
  files: [],
  isWritten: true,
  isInstalled,
  cwd: '/srv',
})

describe('given a service that was written', () => {
  test('when its dependencies are not there, installing them comes first', () => {
    expect(nextCommands(outcome('/srv/shop'))).toEqual(['cd shop', 'npm install', 'npm test', 'npm run dev'])
    expect(nextCommands(outcome('/srv/shop', true))).toEqual(['cd shop', 'npm test', 'npm run dev'])
  })

  test('when it keeps its data in MongoDB, the servers it needs come before its tests, and the text names them', () => {
    const onMongo = outcome('/srv/shop', true, 'mongodb')
    expect(nextCommands(onMongo)).toEqual([
      'cd shop',
      'docker compose up -d --wait',
      'cp .env.example .env',
      'npm run migrate',
      'npm test',
      'npm run dev',
    ])
    expect(toText(onMongo)).toMatch(/^shop on fastify and mongodb:[^]*It needs a MongoDB replica set and a Redis/)
    expect(toText(outcome('/srv/shop'))).toContain('embedded PostgreSQL')
  })

  test.each([
    ['/srv/My Shop', `cd 'My Shop'`],
    [`/srv/it's; rm -rf ~`, String.raw`cd 'it'\''s; rm -rf ~'`],
    ['/srv/-shop', 'cd ./-shop'],
    ['/else/shop', 'cd ../else/shop'],
  ])('when it lies in %s, the command can be pasted into a shell', (directory, command) => {
    expect(nextCommands(outcome(directory))[0]).toBe(command)
  })
})
