// What the load asks a contender beside its requests. Processor time holds still where requests per second drift with the
// machine.
import { Session } from 'node:inspector/promises'

type Answers = Readonly<Record<string, (argument: unknown) => Promise<unknown>>>

const session = new Session()
const answers: Answers = {
  cpu: async () => process.cpuUsage(),
  async profile() {
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 200 })
    await session.post('Profiler.start')
    return {}
  },
  async profiled() {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    return profile
  },
}

export function answerBench(more: Answers = {}): void {
  const all: Answers = { ...answers, ...more }
  process.on('message', ({ question, argument }: { readonly question: string; readonly argument: unknown }) => {
    void all[question]?.(argument).then((answer) => process.send?.(answer as object))
  })
  // Whoever asks is gone, however that came to be.
  process.once('disconnect', () => process.exit())
}
