/**
 * What the kit needs to know of a schema: the Standard Schema v1 interface, which Zod 4, Valibot and ArkType fill.
 * @see https://standardschema.dev
 */
export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
  /** Zod's machine name of the broken rule; not part of Standard Schema. */
  readonly code?: string
}

/** What a schema accepts. */
export type InputOf<S> = S extends Schema<infer Input, unknown> ? Input : never
/** What a schema gives after parsing. */
export type OutputOf<S> = S extends Schema<unknown, infer Output> ? Output : never
