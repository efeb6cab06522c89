import { isBuiltin } from 'node:module'
import { posix } from 'node:path'

/** One floor of a house: folders of equal height, and what they may reach besides the floors below. */
export interface Floor {
  /** Word for the floor in messages, such as `core`. */
  readonly name: string
  /** Its folders below `root`: `foundation`, or `core/*` where each subfolder is an island of its own. */
  readonly folders: readonly string[]
  /** Folders that may import their siblings on this floor, because composing them is their job. */
  readonly composers?: readonly string[]
  /** Folders that every sibling on this floor may import. */
  readonly shared?: readonly string[]
  /** `true` where no package may be named at all, only `node:` builtins. */
  readonly bare?: boolean
  /** `true` for front doors, which nobody imports, not even each other. */
  readonly sealed?: boolean
}

export interface FloorPlan {
  /** The folder that holds the floors, as it ends: `packages/holdfast/src`. Files elsewhere are not looked at. */
  readonly root: string
  /** Name of the package that lives there; inside, files are imported by path. */
  readonly packageName: string
  /** Lowest first; the position is the floor's number. */
  readonly floors: readonly Floor[]
  /** Package → the one folder below `root` that may name it. A package that is not listed may not be named. */
  readonly packages: Readonly<Record<string, string>>
}

/** The house of the `holdfast` package itself. */
export const holdfastPlan: FloorPlan = {
  root: 'packages/holdfast/src',
  packageName: 'holdfast',
  floors: [
    { name: 'foundation', folders: ['foundation'], bare: true },
    { name: 'core', folders: ['core/*'], composers: ['core/http'], bare: true },
    { name: 'adapters', folders: ['adapters/*'] },
    { name: 'edges', folders: ['edges/*'], shared: ['edges/node'] },
    { name: 'testing', folders: ['testing'] },
    { name: 'entry', folders: ['entry'], sealed: true },
  ],
  packages: {
    '@node-rs/argon2': 'adapters/argon2',
    '@prometheus-io/client': 'adapters/prometheus',
    bullmq: 'adapters/bullmq',
    express: 'edges/express',
    'express-serve-static-core': 'edges/express',
    fastify: 'edges/fastify',
    helmet: 'adapters/helmet',
    ioredis: 'adapters/redis',
    jose: 'adapters/jose',
    kysely: 'adapters/postgres',
    mongoose: 'adapters/mongo',
    'node-pg-migrate': 'adapters/postgres',
    pg: 'adapters/postgres',
    pino: 'adapters/pino',
    'pino-pretty': 'adapters/pino',
    piscina: 'adapters/piscina',
    undici: 'adapters/undici',
    vitest: 'testing',
    zod: 'adapters/zod',
  },
}

interface Room {
  readonly folder: string
  readonly floor: Floor
  readonly level: number
}

/** The path of `filename` below the plan's root, or `undefined` for a file that stands elsewhere. */
export function pathInHouse(plan: FloorPlan, filename: string): string | undefined {
  const path = `/${filename.replaceAll('\\', '/')}`
  const root = `/${plan.root}/`
  const start = path.lastIndexOf(root)
  return start === -1 ? undefined : path.slice(start + root.length)
}

/** Why a file may not stand at `path`, or `undefined` if one of the floors holds it. */
export function refusePlace(plan: FloorPlan, path: string): string | undefined {
  if (roomOf(plan, path)) return undefined
  return (
    `${path} stands on no floor, so no rule guards it. ` +
    `Move it to ${orList(plan.floors.map((floor, level) => `${floor.folders.join(', ')} (floor ${level})`))}.`
  )
}

/**
 * Why the file at `path` may not name the module `name`, in words that say where the code belongs instead;
 * `undefined` if it may. Paths are relative to the plan's root.
 */
export function refuseImport(plan: FloorPlan, path: string, name: string | undefined): string | undefined {
  const from = roomOf(plan, path)
  if (!from) return undefined // refusePlace has the word
  if (name === undefined) return refuseComputed(from)
  if (/^\.{0,2}\//.test(name) || name === '.' || name === '..') return refuseFile(plan, from, path, name)
  return refusePackage(plan, from, name)
}

function refuseFile(plan: FloorPlan, from: Room, path: string, name: string): string | undefined {
  const target = name.startsWith('/') ? pathInHouse(plan, name) : posix.join(posix.dirname(path), name)
  if (target === undefined || target.startsWith('..')) {
    return `${title(from)} imports '${name}', which lies outside ${plan.root} and is not in the published package. Move what you need to ${ground(plan)}.`
  }
  if (/\.test\.\w+$/.test(target)) {
    return `${title(from)} imports the test '${name}', which is not in the published package. Move what you need into ${from.folder}.`
  }
  const to = roomOf(plan, target)
  if (!to) return `${title(from)} imports '${name}', which stands on no floor. Move what you need to ${ground(plan)}.`
  if (to.floor.sealed) {
    return `${title(from)} imports ${title(to)}. Nobody imports ${to.floor.name}: its files are front doors, one for each subpath of the package. Import the file whose names it lists.`
  }
  if (to.folder === from.folder || to.level < from.level) return undefined
  if (to.level === from.level) return refuseSibling(plan, from, to)
  return (
    `${title(from)} imports ${title(to)}. Imports point down. ` +
    `Move what you need to ${ground(plan)}, or declare a port in ${from.folder} and fill it from ${to.folder}.`
  )
}

function refuseSibling(plan: FloorPlan, from: Room, to: Room): string | undefined {
  const { name, composers = [], shared = [] } = from.floor
  if (composers.includes(from.folder) || shared.includes(to.folder)) return undefined
  const exception =
    composers.length > 0
      ? `; only ${orList(composers)} knows its siblings`
      : shared.length > 0
        ? `; only ${orList(shared)} is shared`
        : ''
  const way =
    composers.length > 0
      ? `${ground(plan)}, or compose the two in ${orList(composers)}`
      : shared.length > 0
        ? orList(shared.map((folder) => `${folder} (floor ${from.level}, ${name})`))
        : `${ground(plan)}, or declare a port below and fill it from ${to.folder}`
  return `${title(from)} imports ${title(to)}. Folders of ${name} are islands${exception}. Move what both need to ${way}.`
}

function refusePackage(plan: FloorPlan, from: Room, name: string): string | undefined {
  if (isBuiltin(name)) return undefined
  const named = packageOf(name)
  if (named === plan.packageName || name.startsWith('#')) {
    return `${title(from)} imports '${name}', an alias that hides the floor it leads to. Import the file by its path.`
  }
  const home = Object.hasOwn(plan.packages, named) ? plan.packages[named] : undefined
  if (home === from.folder && !from.floor.bare) return undefined
  const homeTitle = home === undefined ? undefined : titleOf(plan, home)
  if (from.floor.bare) {
    const bareNames = plan.floors.filter((floor) => floor.bare).map((floor) => floor.name)
    return (
      `${title(from)} names the package '${named}'. Frameworks, drivers and all other packages stay out of ` +
      `${andList(bareNames)}. Declare a port in ${from.folder} and fill it from ${homeTitle ?? 'a folder above that names the package'}.`
    )
  }
  if (homeTitle === undefined) {
    return `${title(from)} names the package '${named}', which has no home yet. Give it one: list it under \`packages\` of this rule with the one folder that may name it.`
  }
  return `${title(from)} names the package '${named}', which only ${homeTitle} may name. Move this code there, or use what that folder offers from a floor above it.`
}

function refuseComputed(from: Room): string | undefined {
  if (!from.floor.bare) return undefined
  return `${title(from)} loads a module whose name is computed, so nobody can tell which floor it stands on. Write the name out, or load it from a floor above ${from.level}.`
}

function roomOf(plan: FloorPlan, path: string): Room | undefined {
  for (const [level, floor] of plan.floors.entries()) {
    for (const pattern of floor.folders) {
      const folder = folderIn(pattern, path)
      if (folder !== undefined) return { folder, floor, level }
    }
  }
  return undefined
}

function folderIn(pattern: string, path: string): string | undefined {
  if (!pattern.endsWith('/*')) return path === pattern || path.startsWith(`${pattern}/`) ? pattern : undefined
  const parent = pattern.slice(0, -1)
  if (!path.startsWith(parent)) return undefined
  const [child, ...rest] = path.slice(parent.length).split('/')
  // `core/loose.ts` lies beside the islands, not on one; `core/http` without a file is an island's folder.
  const isFolder = rest.length > 0 || !child?.includes('.')
  return child && isFolder ? parent + child : undefined
}

function packageOf(name: string): string {
  const [first = '', second = ''] = name.split('/')
  if (first !== '@types') return first.startsWith('@') ? `${first}/${second}` : first
  return second.includes('__') ? `@${second.replace('__', '/')}` : second
}

function titleOf(plan: FloorPlan, folder: string): string {
  const room = roomOf(plan, `${folder}/`)
  return room ? title(room) : folder
}

const title = (room: Room) => `${room.folder} (floor ${room.level}, ${room.floor.name})`
const ground = (plan: FloorPlan) => `floor 0 (${plan.floors[0]?.name ?? 'missing'})`
const orList = (words: readonly string[]) => words.join(' or ')
const andList = (words: readonly string[]) => words.join(' and ')
