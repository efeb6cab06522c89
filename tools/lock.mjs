// Accident: two terminals run the first command of a fresh clone at the same moment, and both install.

import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const beatMs = 1000
// A holder that has not touched its lock for so long is dead; asking for its process would not work across containers.
const deadMs = 15_000

/** Runs `work` while no other process does so under the same `file`; waits for its turn. */
export async function withLock(file, work) {
  const mine = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  writeFileSync(mine, mine)
  const beat = setInterval(() => touch(file), beatMs)
  try {
    await take(file, mine)
    return await work()
  } finally {
    clearInterval(beat)
    if (read(file) === mine) rmSync(file, { force: true })
    rmSync(mine, { force: true })
  }

  // Only a holder's heart beats: a waiting process must not keep a dead one's lock alive.
  function touch() {
    if (read(file) === mine) utimesSync(file, new Date(), new Date())
  }
}

async function take(file, mine) {
  let hasToldWhy = false
  while (!tryLink(mine, file)) {
    if (ageMs(file) > deadMs) rename(file, `${mine}.dead`)
    if (!hasToldWhy) console.log('Another run is installing; waiting for it …')
    hasToldWhy = true
    await pause(200)
  }
  rmSync(`${mine}.dead`, { force: true })
}

// A hard link appears whole or not at all, name and content together.
function tryLink(from, to) {
  try {
    linkSync(from, to)
    utimesSync(to, new Date(), new Date())
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function rename(from, to) {
  try {
    renameSync(from, to)
  } catch {
    // Another waiting process was faster.
  }
}

function ageMs(file) {
  try {
    return Date.now() - statSync(file).mtimeMs
  } catch {
    return 0
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
