// Accident: the demo has a password that everybody knows, and somebody puts the demo on the net.

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface DemoPasswords {
  readonly admin: string
  readonly user: string
}

/** Leaves passwords of its own in the .env of a demo, where its seed finds them. */
export function writeDemoPasswords(folder: string): void {
  const lines = ['ADMIN', 'USER'].map((name) => `SEED_${name}_PASSWORD=${randomBytes(12).toString('base64url')}\n`)
  writeFileSync(join(folder, '.env'), lines.join(''), { mode: 0o600 })
}

export function readDemoPasswords(folder: string): DemoPasswords {
  const file = join(folder, '.env')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const of = (name: string): string =>
    new RegExp(`^SEED_${name}_PASSWORD=(.*)$`, 'm').exec(text)?.[1] ?? '(gone from its .env)'
  return { admin: of('ADMIN'), user: of('USER') }
}
