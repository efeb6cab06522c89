/** Field names whose values never leave, wherever they stand. Compared without case, `-` and `_`. */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  // Node's flat list of header names and values, in which no name stands beside its value.
  'rawheaders',
  'password',
  'oldpassword',
  'newpassword',
  'currentpassword',
  'passwd',
  'passphrase',
  'secret',
  'clientsecret',
  'token',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'apikey',
  'xapikey',
  'privatekey',
  'connectionstring',
])

/** A tree of paths: each step by name, and whether a path ends there. */
export interface PathNode {
  isEnd: boolean
  readonly children: Map<string, PathNode>
}

/**
 * Turns `req.body.iban` and `lines[0]["card number"]` into a tree.
 *
 * @throws {TypeError} for wildcards: they cost every line a search, and a name that needs one belongs to the known names
 */
export function toPathTree(paths: readonly string[]): PathNode {
  const root: PathNode = { isEnd: false, children: new Map() }
  for (const path of paths) {
    const steps: readonly string[] = typeof path === 'string' ? (path.match(/[^.[\]"']+/g) ?? []) : []
    if (steps.length === 0 || steps.includes('*')) {
      throw new TypeError(
        `A path to redact names each step, such as "user.email", and has no wildcard; got ${String(path)}`,
      )
    }
    let node = root
    for (const step of steps) {
      const next: PathNode = node.children.get(step) ?? { isEnd: false, children: new Map() }
      node.children.set(step, next)
      node = next
    }
    node.isEnd = true
  }
  return root
}

const known = new Map<string, boolean>()

export function isSecretName(name: string): boolean {
  let isSecret = known.get(name)
  if (isSecret === undefined) {
    isSecret = secretNames.has(name.replace(/[-_]/g, '').toLowerCase())
    // Keys of somebody's data are endless; the service's own field names come first and stay.
    if (known.size < 2000 && name.length < 100) known.set(name, isSecret)
  }
  return isSecret
}
