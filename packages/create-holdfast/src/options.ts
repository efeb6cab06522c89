import { Command, CommanderError } from 'commander'
import { defaults, edges, type EdgeName, isEdgeName, isStoreName, type StoreName, stores } from './layers.ts'
import { wrongUsage } from './refusal.ts'

/** What the command line says, as far as it says anything. */
export interface Flags {
  readonly directory: string | undefined
  readonly edge: EdgeName | undefined
  readonly store: StoreName | undefined
  readonly name: string | undefined
  /** Take the default for whatever is left open, and ask nothing. */
  readonly yes: boolean
  readonly dryRun: boolean
  readonly json: boolean
  readonly install: boolean
}

/** `--help` and `--version` are answered by their text alone. */
export type CommandLine = { readonly flags: Flags } | { readonly text: string }

const examples = `
Examples:
  npm create holdfast@latest shop -- --edge fastify
  create-holdfast shop --edge express --store mongodb --no-install
  create-holdfast shop --edge fastify --dry-run --json

Exit codes: 0 done, 1 failed, 2 asked wrongly (nothing was tried), 130 interrupted`

/** @throws {Refusal} for an option that does not exist or a value it does not take */
export function parseCommandLine(args: readonly string[], version: string): CommandLine {
  let text = ''
  const command = new Command('create-holdfast')
    .description('Assembles a production Node.js service in TypeScript.')
    .argument('[directory]', 'where the service goes; must not exist or be empty')
    .option('--edge <edge>', describe(edges))
    .option('--store <store>', `${describe(stores)} (default where nobody is asked: ${defaults.store})`)
    .option('--name <name>', 'name of the service (default: the name of the directory)')
    .option('-y, --yes', 'take the default for whatever is left open (edge: fastify; store: postgres)', false)
    .option('--no-install', 'leave "npm install" to you')
    .option('--dry-run', 'print what would be written, and write nothing', false)
    .option('--json', 'print the outcome as JSON on standard output, the rest on standard error', false)
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .addHelpText('after', examples)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      writeOut: (part) => (text += part),
      writeErr: () => {},
    })
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { text }
    throw wrongUsage(`${capitalise(error.message.replace(/^error: /, ''))}. See create-holdfast --help.`)
  }
  const { edge, store, ...flags } = command.opts<
    Omit<Flags, 'directory' | 'edge' | 'store'> & { readonly edge?: string; readonly store?: string }
  >()
  if (edge !== undefined && !isEdgeName(edge)) throw noSuch('edge', edge, edges)
  if (store !== undefined && !isStoreName(store)) throw noSuch('store', store, stores)
  return { flags: { ...flags, name: flags.name, directory: command.args[0], edge, store } }
}

const noSuch = (option: 'edge' | 'store', text: string, known: object): Error =>
  wrongUsage(
    `There is no ${option} ${JSON.stringify(text.slice(0, 100))}. --${option} takes ${Object.keys(known).join(' or ')}.`,
  )

const describe = (known: Readonly<Record<string, string>>): string =>
  Object.entries(known)
    .map(([name, requirement]) => `${name}: ${requirement}`)
    .join('; ')

const capitalise = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
