import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/** A user of this machine, by number. */
export interface GuardedAccount {
  readonly uid: number
  readonly gid: number
}

export interface GuardedOptions {
  readonly command: string
  readonly args: readonly string[]
  /** All the environment the process gets. */
  readonly env: NodeJS.ProcessEnv
  /** Who runs it. Default: whoever runs this process */
  readonly account: GuardedAccount | undefined
  /** Signal that makes it end in order. */
  readonly stopSignal: NodeJS.Signals
  /** Absolute path of the folder it works in. */
  readonly folder: string
  /** True when that folder is made for it and goes away with it. */
  readonly isTemporary: boolean
}

/** A process that cannot outlive this one. */
export interface Guarded {
  /** Its id; not the one of the shell that guards it. */
  readonly pid: number
  /** True once it has ended, whoever ended it. */
  hasEnded(): boolean
  /** The last 20 000 characters it wrote. */
  log(): string
  /** Lets this process end while the guarded one still runs; the guard then stops it. */
  unref(): void
  /** Sends the stop signal, after 30 s SIGKILL; resolves when process and folder are gone. */
  stop(): Promise<void>
}

// The shell's stdin is a pipe whose other end only this Node process holds. However Node dies, SIGKILL included, the
// pipe closes, `cat` ends, and the watcher stops the server and removes its folder.
// - The watcher starts before the first write to stdout: with Node gone that write kills the shell.
// - The signal is repeated: a shell starts its background jobs with SIGINT ignored, which they keep until they set
//   handlers of their own.
// - The shell also makes the folder: one made by Node would stay behind if Node died before it started the shell.
const guardScript = `
exec 3<&0 </dev/null
signal=$1 folder=$2 temporary=$3
shift 3
[ -z "$temporary" ] || mkdir -m 700 -- "$folder" || exit 1
cd "$folder" || exit 1
"$@" 3<&- &
server=$!
(
  exec >/dev/null 2>&1
  trap '' INT TERM HUP QUIT
  cat <&3
  tries=0
  while kill -s "$signal" "$server"; do
    tries=$((tries + 1))
    [ "$tries" -gt 300 ] && kill -s KILL "$server"
    sleep 0.1
  done
  [ -z "$temporary" ] || rm -rf -- "$folder" || { sleep 0.5; rm -rf -- "$folder"; }
) &
watcher=$!
exec 3<&-
echo "guard-pid $server"
wait "$server"
echo "guard-exit $?"
wait "$watcher"
`

/** @throws {Error} when the shell cannot be started */
export async function startGuarded(options: GuardedOptions): Promise<Guarded> {
  const { command, args, env, account, stopSignal, folder, isTemporary } = options
  const signal = stopSignal.replace(/^SIG/, '')
  const guardArgs = [signal, folder, isTemporary ? 'temporary' : '']
  const child = spawn('/bin/sh', ['-c', guardScript, 'guard', ...guardArgs, command, ...args], {
    ...account,
    cwd: '/',
    env,
    // A session of its own: Ctrl-C in a terminal reaches Node, which decides when the server stops.
    detached: true,
  })
  return await watch(child)
}

function watch(child: ChildProcessWithoutNullStreams): Promise<Guarded> {
  const handles = [child, child.stdin, child.stdout, child.stderr] as const
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let log = ''
  let hasEnded = false

  const letGo = (): void => {
    hasEnded = true
    // At once, so that the watcher never sends a signal to a process id that was given to somebody else meanwhile.
    child.stdin.end()
  }
  const remember = (text: string): void => {
    log = (log + text).slice(-20_000)
  }

  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', remember)
  child.once('exit', letGo)

  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`The guard of a process ended before it began\n${log}`)))
    onLine(child.stdout, (line) => {
      const [word, number] = line.split(' ')
      if (word === 'guard-pid') resolve(guarded(Number(number)))
      else if (word === 'guard-exit') letGo()
      else remember(`${line}\n`)
    })
  })

  function guarded(pid: number): Guarded {
    return {
      pid,
      hasEnded: () => hasEnded,
      log: () => log,
      unref: () => handles.forEach((handle) => unrefable(handle).unref()),
      stop() {
        handles.forEach((handle) => unrefable(handle).ref())
        child.stdin.end()
        return gone
      },
    }
  }
}

// The pipes of a child are sockets, though their types say only `Readable` and `Writable`.
function unrefable(handle: object): { ref(): void; unref(): void } {
  return handle as { ref(): void; unref(): void }
}

function onLine(stream: NodeJS.ReadableStream, use: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(use)
  })
}
