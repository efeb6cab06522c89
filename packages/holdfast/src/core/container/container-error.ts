/** The container is wired wrongly, or used after its end. A fault in the program, never in a request. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError'
  /** Who needed whom, outermost first: `['orders', 'repository', 'pool']`. */
  readonly path: readonly string[]

  constructor(path: readonly string[], message: string) {
    super(path.length > 0 ? `${path.join(' → ')}: ${message}` : message)
    this.path = Object.freeze([...path])
  }
}
