/**
 * The settings are wrong. `message` lists every problem, one per line, in words for the person who deploys. Our own
 * words never show a value that was set; where a rule of yours quotes one of 16 characters or more, it is masked.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** One sentence per problem, each opening with the name of the setting. */
  readonly problems: readonly string[]
  /** What the process should exit with: EX_CONFIG of sysexits.h, so that supervisors can tell it from a crash. */
  readonly exitCode = 78

  constructor(problems: readonly string[]) {
    const heading = problems.length === 1 ? 'One setting is wrong:' : `${problems.length} settings are wrong:`
    super([heading, ...problems.map((problem) => `  - ${problem}`)].join('\n'))
    this.problems = Object.freeze([...problems])
  }
}
