// Accident: the bundled Node is missing, everything silently runs on the machine's Node 20, and the run proves nothing.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { Refusal } from './refusal.mjs'

const bundledPlatforms = ['linux-x64', 'linux-arm64']
const platform = `${process.platform}-${process.arch}`
const advice = 'Install Node 24 (22.18 is the oldest that will do), then run the command again.'

export const hasBundledNode = () => bundledPlatforms.includes(platform)
export const bundledNode = (root) => join(root, 'node_modules', `node-${platform}`, 'bin', 'node')

/** Speaks up before minutes of installing, where no install can help. */
export function refuseHopelessPlatform() {
  if (hasBundledNode() || isRecent(process.versions.node)) return
  throw new Refusal(
    `This needs Node 22.18 or newer and runs on ${process.versions.node}; for ${platform} no Node comes along. ${advice}`,
  )
}

/**
 * The Node that runs everything: the one from node_modules, else the one that runs this.
 * With HOLDFAST_NODE=own always the latter, which is how CI tries each supported Node.
 */
export function chooseNode(root) {
  const bundled = bundledNode(root)
  const isWelcome = process.env.HOLDFAST_NODE !== 'own' && existsSync(bundled)
  // It is there and still may not run: on Linux with another C library, such as Alpine's.
  if (isWelcome && spawnSync(bundled, ['--version']).status === 0) return bundled
  if (isRecent(process.versions.node)) return process.execPath
  throw new Refusal(
    `This needs Node 22.18 or newer and runs on ${process.versions.node}; the Node that comes along is not used or does not run here. ${advice}`,
  )
}

/** The environment in which every `node` and every program of node_modules is the chosen one. */
export function childEnvironment(root, node) {
  const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter)
  return { ...process.env, PATH: path, NODE: node, npm_node_execpath: node }
}

// Older ones do not run TypeScript sources, and 23 is out of support.
function isRecent(version) {
  const [major, minor] = version.split('.').map(Number)
  return major >= 24 || (major === 22 && minor >= 18)
}
