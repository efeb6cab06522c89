import type { Logger } from 'holdfast/logging'
import { type Config, readTaskConfig } from '../config.ts'
import { createServiceLogger } from './logger.ts'

/** Runs a command that ends by itself, such as migrating; a failure is told in plain words and as exit code 1. */
export async function runTask(task: (config: Config, logger: Logger) => Promise<void>): Promise<void> {
  try {
    const config = readTaskConfig()
    const logger = createServiceLogger(config)
    try {
      await task(config, logger)
    } finally {
      await logger.flush()
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
