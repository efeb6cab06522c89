import { join } from 'node:path'
import { passwordFile } from './server-folder.ts'
import type { Birth, ServerFolder } from './server-folder.ts'

export interface ServerCommandOptions {
  /** Folder with the programs `initdb` and `postgres`. */
  readonly programs: string
  readonly major: number
  readonly folder: ServerFolder
  readonly birth: Birth
  readonly port: number
  /** Further arguments of `postgres`. */
  readonly flags: readonly string[]
}

export interface Command {
  readonly command: string
  readonly args: readonly string[]
}

/** Environment variable with the password for new data; arguments can be read by every user of the machine. */
export const passwordVariable = 'HOLDFAST_PASSWORD'

/** Makes the data if there is none, then becomes the server: one process to guard, whichever of both it is doing. */
export function serverCommand(options: ServerCommandOptions): Command {
  const { programs, major, folder, birth, port, flags } = options
  const places = [folder.data, birth.data, birth.passwordFile, join(programs, 'initdb')]
  const server = [join(programs, 'postgres'), '-D', folder.data, '-p', String(port)]
  return {
    command: '/bin/sh',
    args: ['-c', script(initdbOptions(major, folder)), 'postgres', ...places, ...server, ...settings(folder), ...flags],
  }
}

// What killed attempts left behind goes first, by the hand of the account that owns it.
// The rename is the moment at which data exists: a kill during initdb leaves nothing that looks like data. `mv` moves
// into a folder that is there already, so whoever comes second with his data removes what he moved.
function script(options: readonly string[]): string {
  return `
data=$1 new=$2 file=$3 initdb=$4
shift 4
find "\${data%/*}" -maxdepth 1 -name 'new-*' -mmin +10 -exec rm -rf -- {} +
if [ ! -e "$data" ]; then
  (umask 077 && printf %s "$${passwordVariable}" >"$file") || exit 1
  "$initdb" -D "$new" --pwfile="$file" ${options.join(' ')} >&2 || exit 1
  mv "$file" "$new/${passwordFile}" || exit 1
  if [ -e "$data" ]; then rm -rf -- "$new"; else mv "$new" "$data" || exit 1; fi
  rm -rf -- "$data/\${new##*/}"
fi
unset ${passwordVariable}
exec "$@"
`
}

function initdbOptions(major: number, { isKept }: ServerFolder): readonly string[] {
  return [
    // Other users of the machine reach the port as well, and a superuser may run programs: a password, not trust.
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    // Full Unicode rules for upper() and the like on machines whose system knows no locale but C.
    ...(major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
    // The password is 192 random bits; hashing it 4 096 times would only slow every connection down.
    ...(major >= 16 ? ['-c', 'scram_iterations=1'] : []),
    ...(isKept ? [] : ['--no-sync']),
  ]
}

function settings({ isKept }: ServerFolder): readonly string[] {
  const always = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', 'timezone=UTC']
  const unlessKept = ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off']
  return [...always, ...(isKept ? [] : unlessKept)].flatMap((setting) => ['-c', setting])
}
