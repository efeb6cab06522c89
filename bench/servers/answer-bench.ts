// What the load asks a server beside its requests. Processor time holds still where requests per second drift with the
// machine.
import { Session } from 'node:inspector/promises'

const session = new Session()
const answers: Readonly<Record<string, () => Promise<unknown>>> = {
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

export function answerBench(): void {
  process.on('message', (question: string) => {
    void answers[question]?.().then((answer) => process.send?.(answer as object))
  })
}
