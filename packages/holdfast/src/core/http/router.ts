/** What a table holds for one path: the entry of each method, and the `Allow` header that names them. */
export interface PathEntry<Route> {
  readonly methods: ReadonlyMap<string, Route>
  readonly allow: string
}

export interface Match<Route> {
  readonly entry: PathEntry<Route>
  /** The values of the path's parameters, in order. */
  readonly values: readonly string[]
}

interface Node<Route> {
  readonly children: Map<string, Node<Route>>
  parameter: Node<Route> | undefined
  entry: PathEntry<Route> | undefined
}

/**
 * Finds routes by path, the same way behind every framework: exact case, no trailing slash added or dropped, a segment
 * in the table before a parameter, a parameter never empty.
 */
export class Router<Route> {
  readonly #root: Node<Route> = newNode()
  // Paths without parameters, looked up whole: the common case costs one hash.
  readonly #static = new Map<string, Match<Route>>()

  /** @throws {TypeError} when the table has this method and path already */
  add(method: string, path: string, route: Route): void {
    const segments = path.slice(1).split('/')
    let node = this.#root
    for (const segment of segments)
      node = segment.startsWith(':') ? (node.parameter ??= newNode()) : childOf(node, segment)
    if (node.entry?.methods.has(method)) {
      throw new TypeError(`${method} ${path} is in the table already; parameters of other names make no other path`)
    }
    node.entry = toEntry(new Map([...(node.entry?.methods ?? []), [method, route]]))
    if (!path.includes(':')) this.#static.set(path, { entry: node.entry, values: [] })
  }

  /** The match of a path that was percent-decoded or needs no decoding. */
  findStatic(path: string): Match<Route> | undefined {
    return this.#static.get(path)
  }

  /** The match of decoded segments. */
  find(segments: readonly string[]): Match<Route> | undefined {
    const values: string[] = []
    const entry = descend(this.#root, segments, 0, values)
    return entry && { entry, values }
  }
}

/** Depth-first, what is written before what is open; steps back out of a written segment that leads nowhere. */
function descend<Route>(
  node: Node<Route>,
  segments: readonly string[],
  at: number,
  values: string[],
): PathEntry<Route> | undefined {
  const segment = segments[at]
  if (segment === undefined) return node.entry
  const child = node.children.get(segment)
  const entry = child && descend(child, segments, at + 1, values)
  if (entry !== undefined) return entry
  if (node.parameter === undefined || segment === '') return undefined
  values.push(segment)
  const open = descend(node.parameter, segments, at + 1, values)
  if (open === undefined) values.pop()
  return open
}

function toEntry<Route>(methods: ReadonlyMap<string, Route>): PathEntry<Route> {
  const names = new Set([...methods.keys(), 'OPTIONS'])
  if (names.has('GET')) names.add('HEAD')
  return { methods, allow: [...names].toSorted().join(', ') }
}

function childOf<Route>(node: Node<Route>, segment: string): Node<Route> {
  const known = node.children.get(segment)
  if (known !== undefined) return known
  const child = newNode<Route>()
  node.children.set(segment, child)
  return child
}

const newNode = <Route>(): Node<Route> => ({ children: new Map(), parameter: undefined, entry: undefined })
