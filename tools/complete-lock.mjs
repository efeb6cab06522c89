// Accident: "npm install" on a registry that lacks the binaries of other platforms leaves them out of package-lock.json,
// and from then on every "npm ci" on every machine refuses the file: "Missing: … from lock file".
// Run after a change of dependencies: node tools/complete-lock.mjs
// Entries written here carry no integrity, for the registry at hand cannot tell it; "npm install" against a complete
// registry fills it in.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The optional packages that the lock file names as needed and does not list: path in node_modules → version. */
export function findMissing(packages) {
  const missing = new Map()
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (!isListed(packages, path, name)) missing.set(`node_modules/${name}`, version)
    }
  }
  return missing
}

// As Node looks: beside the one that asks, then in each node_modules above it.
function isListed(packages, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`]) return true
    if (folder === '' || !folder.includes('node_modules/')) return packages[`node_modules/${name}`] !== undefined
  }
}

function toEntry(path, version) {
  const word = (words) => words.find((candidate) => new RegExp(`[-/]${candidate}(?![a-z0-9])`).test(path))
  const os = word(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'])
  const cpu = word(['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x'])
  if (!os || !cpu || !/^\d/.test(version)) throw new Error(`No platform can be read from ${path}@${version}`)
  const libc = /musl/.test(path) ? 'musl' : /gnu/.test(path) && os === 'linux' ? 'glibc' : undefined
  return { version, cpu: [cpu], dev: true, ...(libc && { libc: [libc] }), optional: true, os: [os] }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL('../package-lock.json', import.meta.url)
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = findMissing(lock.packages)
  for (const [path, version] of missing) lock.packages[path] = toEntry(path, version)
  lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en')))
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`${missing.size} packages added to package-lock.json`)
}
