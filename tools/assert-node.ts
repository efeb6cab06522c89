// Accident: the tests pass on a Node that no user of the package may run, because the intended one was not found.

/** Stops Vitest before the first test when it runs on a Node that the package does not support. */
export default function assertNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return
  throw new Error(`The tests need Node 22.18 or newer and run on ${process.versions.node}. Start them with "npm test".`)
}
