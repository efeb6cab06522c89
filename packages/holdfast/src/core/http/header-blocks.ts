import type { ActiveCall } from './active-call.ts'
import type { Cors } from './cors.ts'
import { assertHeader, defaultHeaders, type FlatHeaders, keepFromCaches } from './header-block.ts'
import type { HeaderPolicy } from './header-policy.ts'

/** The policy of all replies, or several by name; `default` is for whatever names none. */
export type HeaderPolicies =
  | HeaderPolicy
  | ({ readonly default: HeaderPolicy } & Readonly<Record<string, HeaderPolicy>>)

/** The finished headers of one policy, for each caller's origin and transport. */
export interface HeaderBlocks {
  of(call: ActiveCall): FlatHeaders
}

const strict: HeaderPolicy = { headers: defaultHeaders, secureHeaders: [] }
// As many callers' origins as a whitelist of patterns may reasonably meet; beyond it blocks are put together per call.
const maxKnownOrigins = 256

/** All policies of a service, made ready at boot. */
export class HeaderBook {
  readonly #policies: ReadonlyMap<string, HeaderPolicy>
  readonly #cors: Cors | undefined

  /** @throws {TypeError} for headers that can't stand on the wire */
  constructor(policies: HeaderPolicies | undefined, cors: Cors | undefined) {
    this.#policies = toMap(policies ?? strict)
    this.#cors = cors
    for (const { headers, secureHeaders } of this.#policies.values()) assertBlock([...headers, ...secureHeaders])
  }

  /** The names of the headers of a policy, for reviewers. */
  names(name: string): readonly string[] {
    const { headers, secureHeaders } = this.#policies.get(name) ?? strict
    return [...headers.filter(isName), ...secureHeaders.filter(isName).map((one) => `${one} (over TLS)`)]
  }

  /**
   * @param isForOneVisitor - whether replies are made for somebody in particular and so may be stored by nobody
   * @throws {TypeError} for a name that no policy has
   */
  blocks(name: string, isForOneVisitor: boolean): HeaderBlocks {
    const policy = this.#policies.get(name)
    if (policy === undefined) {
      throw new TypeError(`there is no header policy \`${name}\`; there is ${[...this.#policies.keys()].join(', ')}`)
    }
    const plain = withFloor(policy.headers, isForOneVisitor)
    const secure = [...plain, ...policy.secureHeaders]
    return this.#cors === undefined ? new ClosedBlocks(plain, secure) : new OriginBlocks(plain, secure, this.#cors)
  }
}

const isName = (_: string, at: number): boolean => at % 2 === 0

const toMap = (policies: HeaderPolicies): Map<string, HeaderPolicy> =>
  'headers' in policies && Array.isArray(policies.headers)
    ? new Map([['default', policies as HeaderPolicy]])
    : new Map(Object.entries(policies as Record<string, HeaderPolicy>))

function assertBlock(headers: FlatHeaders): void {
  for (let at = 0; at < headers.length; at += 2) {
    const [key, text] = [headers[at] as string, headers[at + 1] as string]
    if (key !== key.toLowerCase()) throw new TypeError(`createHttp: header names are in lower case, unlike ${key}`)
    assertHeader(key, text)
  }
}

/** What no policy takes away: nothing is guessed to be a script, and what is made for one visitor is stored nowhere. */
function withFloor(headers: FlatHeaders, isForOneVisitor: boolean): string[] {
  const block = [...headers]
  if (!headers.filter(isName).includes('x-content-type-options')) block.push('x-content-type-options', 'nosniff')
  if (isForOneVisitor) keepFromCaches(block)
  return block
}

class ClosedBlocks implements HeaderBlocks {
  readonly #plain: FlatHeaders
  readonly #secure: FlatHeaders

  constructor(plain: FlatHeaders, secure: FlatHeaders) {
    this.#plain = plain
    this.#secure = secure
  }

  of(call: ActiveCall): FlatHeaders {
    return call.isSecure ? this.#secure : this.#plain
  }
}

class OriginBlocks implements HeaderBlocks {
  readonly #plain: FlatHeaders
  readonly #secure: FlatHeaders
  readonly #cors: Cors
  readonly #plainByOrigin = new Map<string | undefined, FlatHeaders>()
  readonly #secureByOrigin = new Map<string | undefined, FlatHeaders>()

  constructor(plain: FlatHeaders, secure: FlatHeaders, cors: Cors) {
    this.#plain = plain
    this.#secure = secure
    this.#cors = cors
  }

  of(call: ActiveCall): FlatHeaders {
    const origin = call.origin
    const known = call.isSecure ? this.#secureByOrigin : this.#plainByOrigin
    const block = known.get(origin)
    if (block !== undefined) return block
    const made = [...(call.isSecure ? this.#secure : this.#plain), ...this.#cors.grant(origin)]
    const isWorthKeeping = origin === undefined || this.#cors.isAllowed(origin)
    if (isWorthKeeping && known.size < maxKnownOrigins) known.set(origin, made)
    return made
  }
}
