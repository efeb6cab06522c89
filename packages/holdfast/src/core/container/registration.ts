export type LifetimeName = 'singleton' | 'scoped'

/** One recipe of a container, stripped of its types. */
export interface Registration {
  readonly name: string
  readonly lifetime: LifetimeName
  readonly factory: (needs: never) => unknown
  readonly dispose: ((value: never) => unknown) | undefined
  readonly disposeTimeoutMs: number
}

/** In order of registration. */
export type Registrations = ReadonlyMap<string, Registration>

/** Names that carry a meaning of their own on what a container hands out, or on every object. */
export type ReservedName =
  | 'then'
  | 'toJSON'
  | 'toString'
  | 'valueOf'
  | 'constructor'
  | 'prototype'
  | '__proto__'
  | 'scope'
  | 'createScope'
  | 'dispose'

const reservedNames: ReadonlySet<string> = new Set<ReservedName>([
  'then',
  'toJSON',
  'toString',
  'valueOf',
  'constructor',
  'prototype',
  '__proto__',
  'scope',
  'createScope',
  'dispose',
])

export function isReserved(name: string): boolean {
  return reservedNames.has(name)
}
