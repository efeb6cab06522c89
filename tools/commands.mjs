// Accident: ten scripts with ten ways to find Node, install and report, each right on the machine of its author only.

import { fileURLToPath } from 'node:url'
import { runCheck, runChecks } from './checks.mjs'
import { runChild } from './child.mjs'
import { ensureModules } from './install.mjs'
import { childEnvironment, chooseNode, refuseHopelessPlatform } from './node-24.mjs'
import { Refusal } from './refusal.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))

const commands = {
  start: (house, args) => runProgram(house, 'tools/start.ts', args),
  bench: async (house, args) => (await runCheck(house, 'build', [])) || runProgram(house, 'bench/run.ts', args),
  test: (house, args) => runChecks(house, args, { keepGoing: false }),
  check: (house, args) => runChecks(house, args, { keepGoing: true }),
  build: (house, args) => runCheck(house, 'build', args),
  lint: (house, args) => runCheck(house, 'lint', args),
  format: (house, args) => runCheck(house, 'write', args),
}

/** Runs `npm start`, `npm test` and their kin: installs what is missing, takes Node 24, resolves to the exit code. */
export async function run([name, ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) throw new Refusal(`There is no command '${name}'. Use one of: ${Object.keys(commands).join(', ')}.`)
  refuseHopelessPlatform()
  await ensureModules(repository)
  const node = chooseNode(repository)
  return command({ root: repository, node, env: childEnvironment(repository, node) }, args)
}

// The program ends cleanly even when this process is killed outright: see lifeline.mjs.
function runProgram({ root, node, env }, file, args) {
  const lifeline = new URL('./lifeline.mjs', import.meta.url).href
  return runChild(node, ['--import', lifeline, file, ...args], {
    cwd: root,
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
}
