import { builtinModules } from 'node:module'
import { wrongUsage } from './refusal.ts'

const mostLetters = 63

// A package cannot depend on a package of its own name, and these are what a service depends on.
const dependencies = [
  'express',
  'fastify',
  'helmet',
  'holdfast',
  'ioredis',
  'jose',
  'mongoose',
  'node-pg-migrate',
  'pg',
  'pino',
  'pino-pretty',
  'typescript',
  'zod',
]
const folders = ['node_modules', 'dist', 'src', 'test', 'vendor']
const windowsDevices = /^(con|prn|aux|nul|com\d|lpt\d)$/

/**
 * Checks the name of a service. It becomes the name of a package, a database, an image and a host, so it has to suit
 * the strictest of them: a DNS label. A scope (`@team/shop`) may stand before it.
 *
 * @throws {Refusal} saying which rule it breaks, and a name that breaks none where one can be guessed
 */
export function assertProjectName(name: string): void {
  const fault = faultOf(name)
  if (fault === undefined) return
  const guess = suggestName(name)
  throw wrongUsage(
    `${JSON.stringify(name.slice(0, 100))} cannot be the name of a service: ${fault}.` +
      (guess === undefined ? ' Choose another with --name.' : ` Try: --name ${guess}`),
  )
}

function faultOf(name: string): string | undefined {
  const scope = /^@([^/]*)\//.exec(name)
  if (scope !== null && !isLabel(scope[1] as string)) return `its scope ${shape}`
  const label = name.slice(scope?.[0].length ?? 0)
  if (label === '') return 'it is empty'
  if (label.length > mostLetters) return `it has ${label.length} characters, and host names end at ${mostLetters}`
  if (!isLabel(label)) return `it ${shape}`
  if (scope !== null) return undefined
  if (dependencies.includes(label)) return 'a package that the service depends on has that name'
  if (folders.includes(label)) return 'folders with a meaning of their own have that name'
  if (builtinModules.includes(label)) return 'a module of Node.js has that name'
  if (windowsDevices.test(label)) return 'Windows keeps that name for a device'
  return undefined
}

const shape = 'has to start with a letter a–z and go on with letters a–z, digits and single hyphens'
const isLabel = (text: string): boolean => /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text)

function suggestName(name: string): string | undefined {
  const label = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, mostLetters)
    .replace(/-+$/, '')
  return label !== '' && label !== name && faultOf(label) === undefined ? label : undefined
}
