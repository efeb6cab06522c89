/** A machine's key as it is stored: never the secret. */
export interface ApiKeyRecord {
  readonly id: string
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array
  /** Whom it belongs to; the id of the principal it makes. */
  readonly principalId: string
  readonly name: string
  /** Permissions it was given: its scope. */
  readonly permissions: readonly string[]
  /** Milliseconds since 1970; `undefined` for one that does not expire. */
  readonly expiresAt: number | undefined
}

/** Where API keys live. Fill it with `createPostgresApiKeyStore` of `holdfast/postgres`, or with one of your own. */
export interface ApiKeyStore {
  insert(key: ApiKeyRecord): Promise<void>
  /** Gives no key that was revoked. */
  find(id: string): Promise<ApiKeyRecord | undefined>
  /** Those that were not revoked, expired ones too. May end after a thousand, the oldest first. */
  list(principalId: string): Promise<readonly Omit<ApiKeyRecord, 'secretHash'>[]>
  /** @returns whether there was one */
  revoke(principalId: string, id: string): Promise<boolean>
}
