import type { Logger } from '../../foundation/logger.ts'

export type AfterCommit = () => void | Promise<void>

/** Runs what waited for a commit, one after another. Never rejects: whatever fails, what is committed stays. */
export async function runAfterCommit(callbacks: readonly AfterCommit[], logger: Logger): Promise<void> {
  for (const callback of callbacks) {
    try {
      await callback()
    } catch (err) {
      logger.error({ err }, 'What was to happen after a commit failed; the commit stays')
    }
  }
}
