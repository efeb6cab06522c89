/** Why migrating stopped, and what to do about it; `cause` holds the driver's error. */
export class MigrationError extends Error {
  /** Name of the file at fault, if it was one. */
  readonly file: string | undefined

  constructor(message: string, file?: string, options?: ErrorOptions) {
    super(message, options)
    this.file = file
  }

  override get name(): string {
    return 'MigrationError'
  }
}
