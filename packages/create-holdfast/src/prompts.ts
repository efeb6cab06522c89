import { isCancel, select, text } from '@clack/prompts'
import { basename } from 'node:path'
import type { Ask } from './choices.ts'
import { edges, stores } from './layers.ts'
import { assertProjectName } from './project-name.ts'
import { interrupted } from './refusal.ts'

/** Asks at the terminal, until `signal` aborts. */
export const terminal = (signal: AbortSignal): Ask => ({
  async directory() {
    const answer = await text({
      message: 'Where does the service go?',
      placeholder: 'shop',
      defaultValue: 'shop',
      validate: (value) => nameFault(value === undefined || value === '' ? 'shop' : value),
      signal,
    })
    return isCancel(answer) ? stop() : answer
  },
  async edge() {
    return selectOne('Which framework stands at the edge?', edges, signal)
  },
  async store() {
    return selectOne('Where does its data live?', stores, signal)
  },
})

async function selectOne<Name extends string>(
  message: string,
  hints: Readonly<Record<Name, string>>,
  signal: AbortSignal,
): Promise<Name> {
  const options = Object.entries<string>(hints).map(([value, hint]) => ({ value, hint }))
  const answer = await select({ message, options, signal })
  return isCancel(answer) ? stop() : (answer as Name)
}

function stop(): never {
  throw interrupted()
}

function nameFault(directory: string): string | undefined {
  try {
    assertProjectName(basename(directory))
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
