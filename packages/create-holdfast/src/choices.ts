import { basename, resolve } from 'node:path'
import { defaults, edges, type EdgeName, type StoreName, type Variant } from './layers.ts'
import type { Flags } from './options.ts'
import { assertProjectName } from './project-name.ts'
import { wrongUsage } from './refusal.ts'

/** Everything decided. */
export interface Choices extends Variant {
  /** Absolute. */
  readonly directory: string
  readonly name: string
}

/** Asks a person for what the flags left open. */
export interface Ask {
  directory(): Promise<string>
  edge(): Promise<EdgeName>
  store(): Promise<StoreName>
}

/**
 * @param ask - absent where nobody can answer: in scripts, in CI, for agents
 * @throws {Refusal} listing the flags that are missing, or for a name that cannot be
 */
export async function completeChoices(flags: Flags, cwd: string, ask: Ask | undefined): Promise<Choices> {
  const given = flags.edge ?? (flags.yes ? defaults.edge : undefined)
  if (!ask) assertComplete(flags.directory, given)
  const directory = resolve(cwd, flags.directory ?? (await ask?.directory()) ?? '')
  const name = flags.name ?? basename(directory)
  // Before the next question: who is told of a bad name wants to hear it at once.
  assertProjectName(name)
  const edge = given ?? (await ask?.edge()) ?? defaults.edge
  // One of the stores serves most, so that scripts need not choose.
  const store = flags.store ?? (await ask?.store()) ?? defaults.store
  return { directory, name, edge, store }
}

function assertComplete(directory: string | undefined, edge: EdgeName | undefined): void {
  const missing = [
    ...(directory === undefined ? ['  <directory>     where the service goes, such as shop'] : []),
    ...(edge === undefined
      ? Object.entries(edges).map(([name, requirement]) => `  --edge ${name.padEnd(8)} for ${requirement}`)
      : []),
  ]
  if (missing.length === 0) return
  throw wrongUsage(`Nobody is here to ask (no terminal), so say it in the command:\n${missing.join('\n')}`)
}
