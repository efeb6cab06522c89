// Accident: someone pulls, runs the tests against last week's node_modules, and spends the morning on a bug that is not
// there. Or two runs install at the same time and leave a tree that is half of each.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { withLock } from './lock.mjs'
import { bundledNode, hasBundledNode } from './node-24.mjs'
import { Refusal } from './refusal.mjs'

/** Leaves node_modules as package-lock.json wants it, or refuses. Costs a few milliseconds when there is nothing to do. */
export async function ensureModules(root) {
  if (isInstalled(root)) return
  mkdirSync(join(root, '.data'), { recursive: true })
  await withLock(join(root, '.data', 'install.lock'), async () => {
    // Whoever held the lock before may have done the work.
    if (isInstalled(root)) return
    const startedAt = performance.now()
    console.log('Installing dependencies (npm ci) …')
    await install(root)
    console.log(`Installed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  })
}

/**
 * Compares the lock file with npm's own record of what it put into node_modules. npm removes that record first and
 * writes it last, so an interrupted install has none, and an install by hand counts as much as ours.
 */
function isInstalled(root) {
  const wanted = readPackages(join(root, 'package-lock.json'))
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (!wanted)
    throw new Refusal('package-lock.json is missing or unreadable. Restore it with git, then run the command again.')
  if (!present || (hasBundledNode() && !existsSync(bundledNode(root)))) return false
  return Object.entries(wanted).every(([path, { version, integrity, link, optional }]) => {
    if (!path.startsWith('node_modules/')) return true
    const found = present[path]
    // Optional packages are left out where their platform is another.
    if (!found) return optional === true
    return found.version === version && found.integrity === integrity && found.link === link
  })
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

async function install(root) {
  // Whatever NODE_ENV or the user's settings say: the checks need the development packages, and Node is an optional one.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
  const [command, ...first] = findNpm()
  const env = {
    // npm's own default waits more than a minute before it admits that there is no network.
    npm_config_fetch_retry_mintimeout: '1000',
    npm_config_fetch_retry_maxtimeout: '5000',
    ...process.env,
  }
  const { code, output } = await capture(command, [...first, ...args], { cwd: root, env })
  if (code === 0) return
  const log = join('.data', 'install.log')
  writeFileSync(join(root, log), output)
  throw new Refusal(`Dependencies could not be installed: ${explain(code, output)} (npm's own words: ${log})`)
}

// npm_execpath may also be npx, or another package manager that knows nothing of package-lock.json.
function findNpm() {
  const given = process.env.npm_execpath
  if (given && /^npm-cli\.c?js$/.test(basename(given)) && existsSync(given)) return [process.execPath, given]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

function capture(command, args, options) {
  return new Promise((resolve) => {
    const shell = process.platform === 'win32'
    const child = spawn(command, args, { ...options, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.once('error', (error) => resolve({ code: error.code, output: String(error) }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

const offline =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR)$/

function explain(exitCode, output) {
  if (exitCode === 'ENOENT')
    return 'there is no npm on the PATH. Install Node 24 together with npm, then run the command again.'
  const code = /^npm (?:error|ERR!) code (\S+)/m.exec(output)?.[1] ?? ''
  if (offline.test(code)) {
    return `the npm registry does not answer (${code}). Connect to the network, or set a registry you can reach (npm config set registry …), then run the command again.`
  }
  if (code === 'EUSAGE')
    return 'package-lock.json does not fit package.json. Run "npm install" and "node tools/complete-lock.mjs", then run the command again.'
  if (code === 'ENOSPC') return 'the disk is full. Make room (some 700 MB), then run the command again.'
  const firstWords = /^npm (?:error|ERR!) (?!code )(.+)$/m.exec(output)?.[1] ?? 'it gave no reason'
  return `npm ci ended with ${code || exitCode}: ${firstWords}.`
}
