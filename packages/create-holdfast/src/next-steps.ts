import { relative } from 'node:path'
import type { Choices } from './choices.ts'
import { layersFor, type StoreName } from './layers.ts'
import type { PlannedFile } from './plan.ts'

export interface Outcome {
  readonly choices: Choices
  readonly files: readonly PlannedFile[]
  readonly isWritten: boolean
  readonly isInstalled: boolean
  readonly cwd: string
}

/** What has to be there before the service can be tested and started. */
const serversOf = {
  postgres: {
    commands: [],
    words: 'It runs on an embedded PostgreSQL until DATABASE_URL is set; README.md says the rest.',
  },
  mongodb: {
    commands: ['docker compose up -d --wait', 'cp .env.example .env', 'npm run migrate'],
    words:
      'It needs a MongoDB replica set and a Redis, also for its tests; compose.yaml has both, README.md says the rest.',
  },
} as const satisfies Record<StoreName, { readonly commands: readonly string[]; readonly words: string }>

/** The commands that come next, in order, ready to be pasted. */
export function nextCommands({ choices, isInstalled, cwd }: Outcome): string[] {
  const folder = relative(cwd, choices.directory)
  return [
    `cd ${quote(folder)}`,
    ...(isInstalled ? [] : ['npm install']),
    ...serversOf[choices.store].commands,
    'npm test',
    'npm run dev',
  ]
}

/** What was done or would be, for programs. */
export function toJson(outcome: Outcome): string {
  const { choices, files, isWritten, isInstalled } = outcome
  return JSON.stringify(
    {
      ...choices,
      layers: layersFor(choices),
      written: isWritten,
      installed: isInstalled,
      files: files.map((file) => ({
        path: file.path,
        layers: file.layers,
        ...('text' in file ? { bytes: Buffer.byteLength(file.text) } : {}),
      })),
      next: nextCommands(outcome),
    },
    null,
    2,
  )
}

/** What was done or would be, for people. */
export function toText(outcome: Outcome): string {
  const { choices, files, isWritten } = outcome
  const { name, edge, store, directory } = choices
  const list = files.map(({ path }) => `  ${path}`).join('\n')
  if (!isWritten)
    return `${name} on ${edge} and ${store} would be these ${files.length} files in ${directory}:\n${list}`
  return [
    `${name} on ${edge} and ${store}: ${files.length} files in ${directory}`,
    '',
    'Next:',
    ...nextCommands(outcome).map((command) => `  ${command}`),
    '',
    serversOf[store].words,
  ].join('\n')
}

function quote(folder: string): string {
  const path = folder.startsWith('-') ? `./${folder}` : folder
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
}
