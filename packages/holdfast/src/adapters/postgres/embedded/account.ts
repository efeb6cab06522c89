import { readFileSync } from 'node:fs'

export interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * Who has to run the server when it cannot be us: PostgreSQL refuses to run as root, so root lends it `nobody`.
 * An id without an entry in /etc/passwd would not do; initdb looks its name up.
 *
 * @returns nothing when we may run it ourselves
 * @throws {Error} for root on a system without `nobody`
 */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const [, , uid, gid] = nobodyEntry()?.split(':') ?? []
  if (uid === undefined || gid === undefined) {
    throw new Error(
      'PostgreSQL does not run as root and there is no account "nobody"; run as another user, or set DATABASE_URL',
    )
  }
  return { uid: Number(uid), gid: Number(gid) }
}

function nobodyEntry(): string | undefined {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.startsWith('nobody:'))
  } catch {
    return undefined
  }
}
