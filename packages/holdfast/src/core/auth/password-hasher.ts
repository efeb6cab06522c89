/** Hashes passwords slowly and a bounded number at once. `holdfast/passwords` fills it with argon2id. */
export interface PasswordHasher {
  /**
   * @returns a PHC string
   * @throws {ServiceUnavailableError} `auth.busy` when too many wait already
   */
  hash(password: string): Promise<string>
  /**
   * Costs the same whether `hash` is there or not, so that unknown users can't be told from wrong passwords.
   *
   * @param hash - as stored; `undefined` when there is no such user
   * @throws {ServiceUnavailableError} `auth.busy` when too many wait already
   */
  verify(hash: string | undefined, password: string): Promise<boolean>
  /** Whether a hash was made with other costs than today's; hash anew at the next login. */
  needsRehash(hash: string): boolean
}
