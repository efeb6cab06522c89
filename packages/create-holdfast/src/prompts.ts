import { isCancel, select, text } from '@clack/prompts'
import { basename } from 'node:path'
import type { Ask } from './choices.ts'
import { edges, type EdgeName } from './layers.ts'
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
    const answer = await select({
      message: 'Which framework stands at the edge?',
      options: Object.entries(edges).map(([value, hint]) => ({ value: value as EdgeName, hint })),
      signal,
    })
    return isCancel(answer) ? stop() : answer
  },
})

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
