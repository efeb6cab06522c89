import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { failed, interrupted } from './refusal.ts'

/** Packs the package whose sources lie in `folder` into the tarball `file`, as a release would. */
export async function packPackage(folder: string, file: string, signal: AbortSignal): Promise<void> {
  if (!existsSync(join(folder, 'dist'))) {
    throw failed(`${folder} is not built, so there is nothing to pack. Run "npm run build" in the repository first.`)
  }
  // npm names the tarball; a folder of its own tells which one it is.
  const shelf = mkdtempSync(join(dirname(file), '.pack-'))
  try {
    await runNpm(['pack', '--silent', '--pack-destination', shelf], { cwd: folder, signal, output: 'ignore' })
    const [tarball] = readdirSync(shelf)
    if (tarball === undefined) throw failed(`npm pack made nothing of ${folder}.`)
    renameSync(join(shelf, tarball), file)
  } finally {
    rmSync(shelf, { recursive: true, force: true })
  }
}

/** Installs what a service depends on; npm's own words go to standard error. */
export async function installDependencies(directory: string, signal: AbortSignal): Promise<void> {
  try {
    await runNpm(['install', '--no-audit', '--no-fund'], { cwd: directory, signal, output: 2 })
  } catch (error) {
    const state = `The service in ${directory} is whole, but its dependencies are not: run "npm install" there.`
    throw signal.aborted ? interrupted(state) : failed(`${(error as Error).message} ${state}`, error)
  }
}

interface RunOptions {
  readonly cwd: string
  readonly signal: AbortSignal
  readonly output: 'ignore' | 2
}

function runNpm(args: readonly string[], { cwd, signal, output }: RunOptions): Promise<void> {
  const [command, ...first] = findNpm()
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(interrupted())
    const child = spawn(command, [...first, ...args], {
      cwd,
      stdio: ['ignore', output, 2],
      // Windows starts .cmd files through its shell only; these arguments are ours, not a user's.
      shell: process.platform === 'win32' && command === 'npm.cmd',
    })
    const stop = (): void => void child.kill('SIGTERM')
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', (error) =>
      reject(failed(`npm could not be started: ${error.message}. Install npm, then try again.`, error)),
    )
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop)
      if (signal.aborted) reject(interrupted())
      else if (code === 0) resolve()
      else reject(failed(`"npm ${args.join(' ')}" in ${cwd} ended with ${code}; its words are above.`))
    })
  })
}

// npm_execpath names the npm that started us, but may also be npx or another package manager.
function findNpm(): [command: string, ...args: string[]] {
  const given = process.env['npm_execpath']
  if (given !== undefined && /^npm-cli\.c?js$/.test(basename(given)) && existsSync(given))
    return [process.execPath, given]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}
