import { describe, expect, test } from 'vitest'
import { nextCommands, type Outcome } from './next-steps.ts'

const outcome = (directory: string, isInstalled = false): Outcome => ({
  choices: { directory, name: 'shop', edge: 'fastify' },
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

  test.each([
    ['/srv/My Shop', `cd 'My Shop'`],
    [`/srv/it's; rm -rf ~`, String.raw`cd 'it'\''s; rm -rf ~'`],
    ['/srv/-shop', 'cd ./-shop'],
    ['/else/shop', 'cd ../else/shop'],
  ])('when it lies in %s, the command can be pasted into a shell', (directory, command) => {
    expect(nextCommands(outcome(directory))[0]).toBe(command)
  })
})
