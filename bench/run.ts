// Each question stands in a file of its own. Contenders serve the same work in processes of their own and their rounds
// are interleaved, so that a machine whose speed drifts drifts for all. Read the ratios.
//
//   npm run bench                                      all questions
//   npm run bench -- pipeline --seconds 3 --rounds 5   one of them
//   npm run bench -- pipeline --only W2,W8             some of its works
//   npm run bench -- profile --only W2                 where the kit spends its time
import { parseArgs } from 'node:util'
import { data } from './data.ts'
import { pipeline } from './pipeline.ts'
import { postgres } from './postgres.ts'
import { profile } from './profile.ts'
import { routes } from './routes.ts'
import type { BenchOptions } from './shared/rounds.ts'

const questions: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  routes,
  pipeline,
  data,
  postgres,
  profile,
}
const usual = ['routes', 'pipeline', 'data', 'postgres']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
})
const options: BenchOptions = {
  seconds: positive('seconds', values.seconds),
  rounds: positive('rounds', values.rounds),
  only: values.only.split(',').filter((word) => word !== ''),
}
for (const name of positionals.length > 0 ? positionals : usual) {
  const ask = questions[name]
  if (ask === undefined)
    throw new TypeError(`There is no question '${name}'; there are ${Object.keys(questions).join(', ')}`)
  await ask(options)
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new RangeError(`--${name} is ${text}; it must be a whole number above 0`)
}
