#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
import { completeChoices } from './choices.ts'
import { layersFor } from './layers.ts'
import { type Outcome, toJson, toText } from './next-steps.ts'
import { installDependencies, packPackage } from './npm.ts'
import { parseCommandLine } from './options.ts'
import { findOrigin } from './origin.ts'
import { planFiles } from './plan.ts'
import { Refusal } from './refusal.ts'
import { readTemplates } from './templates.ts'
import { assertFree, writeService } from './write.ts'

async function create(args: readonly string[], signal: AbortSignal): Promise<string> {
  const origin = findOrigin(fileURLToPath(new URL('..', import.meta.url)))
  const commandLine = parseCommandLine(args, origin.version)
  if ('text' in commandLine) return commandLine.text.trimEnd()
  const { flags } = commandLine

  const ask = canAsk() && !flags.yes && !flags.json ? (await import('./prompts.ts')).terminal(signal) : undefined
  const choices = await completeChoices(flags, process.cwd(), ask)
  assertFree(choices.directory)
  const files = planFiles(choices, readTemplates(origin.templates, layersFor(choices)), origin.library)

  const isWritten = !flags.dryRun
  const isInstalled = isWritten && flags.install
  if (isWritten) await writeService({ directory: choices.directory, files, pack: packPackage, signal })
  if (isInstalled) await installDependencies(choices.directory, signal)

  const outcome: Outcome = { choices, files, isWritten, isInstalled, cwd: process.cwd() }
  return flags.json ? toJson(outcome) : toText(outcome)
}

const canAsk = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true && !process.env['CI']

// Not the default of ending at once: what was begun is cleared away first.
const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort())

try {
  console.log(await create(process.argv.slice(2), abort.signal))
} catch (error) {
  console.error(error instanceof Refusal ? `create-holdfast: ${error.message}` : error)
  process.exitCode = error instanceof Refusal ? error.exitCode : 1
}
