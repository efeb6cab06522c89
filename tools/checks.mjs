// Accident: a run prints "all green" though a whole suite never loaded, and the line that says so is made up by a script.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from './child.mjs'
import { sweepBuilds } from './sweep.mjs'

const programs = {
  build: ['tsc', '-b', '.', 'tools'],
  lint: ['oxlint'],
  format: ['oxfmt', '--check'],
  unused: ['knip', '--no-config-hints'],
  write: ['oxfmt'],
}
const order = ['build', 'lint', 'format', 'unused', 'tests']

/** Runs one program of the list above; resolves to its exit code. */
export function runCheck(house, name, args) {
  if (name === 'build') sweepBuilds(house.root)
  return runProgram(house, [...programs[name], ...args])
}

/**
 * Runs all checks in order and ends with the line `N passed, N failed, N skipped`: every test of Vitest's own report,
 * and one for each other check. A check that was not reached counts as skipped. Extra arguments go to Vitest.
 */
export async function runChecks(house, args, { keepGoing }) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const name of order) {
    if (total.failed > 0 && !keepGoing) {
      total.skipped += 1
      continue
    }
    const startedAt = performance.now()
    const counts = name === 'tests' ? await runTests(house, args) : await runOne(house, name)
    for (const key of Object.keys(total)) total[key] += counts[key]
    const verdict = counts.failed > 0 ? 'FAILED' : 'ok'
    console.log(`${name.padEnd(8)}${verdict.padEnd(8)}${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  return total.failed > 0 ? 1 : 0
}

async function runOne(house, name) {
  const exitCode = await runCheck(house, name, [])
  return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 }
}

async function runTests(house, args) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const exitCode = await runProgram(house, ['vitest', 'run', ...reporters, ...args])
  const counts = countTests(report)
  rmSync(folder, { recursive: true, force: true })
  // A server that did not start, a rejection nobody caught, no report at all: a failure that no single test shows.
  const hasNoTests = counts.passed + counts.failed + counts.skipped === 0
  if (counts.failed === 0 && (exitCode !== 0 || hasNoTests)) counts.failed = 1
  return counts
}

function countTests(report) {
  let files = []
  try {
    files = JSON.parse(readFileSync(report, 'utf8')).testResults
  } catch {
    // Without a report there are no counts, which runTests takes for a failure.
  }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { status: fileStatus, assertionResults } of files) {
    const statuses = assertionResults.map(({ status }) => status)
    for (const status of statuses) counts[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1
    // A file that did not load has no tests to fail.
    if (fileStatus === 'failed' && !statuses.includes('failed')) counts.failed += 1
  }
  return counts
}

function runProgram({ root, node, env }, [program, ...args]) {
  const file = join(root, 'node_modules', '.bin', program)
  return runChild(node, [file, ...args], { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
}
