import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'

// What services do with transactions, as data: so that thousands of ways to do it can be made up, run against a database,
// and held against what they should leave behind.

export type Step =
  | { readonly does: 'write' }
  /** Runs into a constraint. */
  | { readonly does: 'violate'; readonly isCaught: boolean }
  | { readonly does: 'pause'; readonly turns: number }
  | { readonly does: 'call back' }
  /** The database gives up on it, or the connection breaks, the first time that it is tried. */
  | { readonly does: 'conflict' | 'lose'; readonly isCaught: boolean }
  | { readonly does: 'part'; readonly part: Program; readonly isCaught: boolean }
  /** Several steps at once, all of them waited for. */
  | { readonly does: 'together'; readonly steps: readonly Step[]; readonly isCaught: boolean }
  /** Several steps at once; when one fails, nobody waits for the others. */
  | { readonly does: 'race'; readonly steps: readonly Step[]; readonly isCaught: boolean }
  /** A step that nobody waits for. */
  | { readonly does: 'leave'; readonly step: Step }

export interface Program {
  readonly steps: readonly Step[]
  readonly throws: boolean
}

export function programs(howCareful: 'careful' | 'careless'): fc.Arbitrary<Program> {
  const { program } = fc.letrec<{ program: Program; step: Step; left: Step }>((tie) => {
    // A step is known by its object, so each has one of its own.
    const plain = (does: 'write' | 'call back') => fc.record({ does: fc.constant(does) }) as fc.Arbitrary<Step>
    const isCaught = fc.boolean()
    const few = fc.array(tie('step'), { minLength: 1, maxLength: 4 })
    const simple: fc.WeightedArbitrary<Step>[] = [
      { weight: 6, arbitrary: plain('write') },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('violate' as const), isCaught }) },
      {
        weight: 2,
        arbitrary: fc.record({ does: fc.constant('pause' as const), turns: fc.integer({ min: 1, max: 6 }) }),
      },
      { weight: 1, arbitrary: plain('call back') },
      { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('conflict' as const, 'lose' as const), isCaught }) },
    ]
    const composed: fc.WeightedArbitrary<Step>[] = [
      { weight: 4, arbitrary: fc.record({ does: fc.constant('part' as const), part: tie('program'), isCaught }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('together' as const), steps: few, isCaught }) },
    ]
    const careless: fc.WeightedArbitrary<Step>[] = [
      { weight: 3, arbitrary: fc.record({ does: fc.constant('leave' as const), step: tie('left') }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('race' as const), steps: few, isCaught }) },
    ]
    return {
      step: fc.oneof({ maxDepth: 4 }, ...simple, ...composed, ...(howCareful === 'careless' ? careless : [])),
      left: fc.oneof(
        { maxDepth: 4 },
        { weight: 1, arbitrary: plain('write') },
        { weight: 2, arbitrary: fc.record({ does: fc.constant('part' as const), part: tie('program'), isCaught }) },
      ),
      program: fc.record({
        steps: fc.array(tie('step'), { maxLength: 5 }),
        throws: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      }),
    }
  })
  return program
}

/** What a program, all of whose steps are waited for, should leave behind: the writes, or nothing when it fails. */
export function expectedOf(program: Program): readonly Step[] | undefined {
  const kept: Step[] = []
  // After a violation, caught or not, the database takes nothing more and commits nothing.
  let isSpoiled = false
  const runs = (step: Step): boolean => {
    switch (step.does) {
      case 'write':
        kept.push(step)
        return !isSpoiled
      case 'violate':
        isSpoiled = true
        return step.isCaught
      case 'part': {
        const inner = isSpoiled ? undefined : expectedOf(step.part)
        if (inner !== undefined) kept.push(...inner)
        return inner !== undefined || step.isCaught
      }
      case 'together': {
        const ran = step.steps.map(runs)
        return step.isCaught || ran.every(Boolean)
      }
      default:
        return true
    }
  }
  return program.steps.every(runs) && !program.throws && !isSpoiled ? kept : undefined
}

/** A transaction, or a part of one, as it was seen to end. */
interface Seen {
  readonly outer: Seen | undefined
  isDone: boolean
}

interface Trace {
  readonly step: Step
  readonly in: Seen
  isDone: boolean
}

/** One run of a program, and what was seen of it from outside the database. */
export class Run {
  /** What the whole of it threw, if it did. */
  thrown: unknown = undefined
  isDone = false
  attempts = 0
  readonly calledBack: Step[] = []
  readonly #database: Database
  readonly #idOf: ReadonlyMap<Step, number>
  readonly #writes: Trace[] = []
  readonly #callbacks: Trace[] = []
  readonly #open: Promise<unknown>[] = []

  constructor(database: Database, program: Program, firstId: number) {
    this.#database = database
    this.#idOf = new Map(stepsOf(program).map((step, at) => [step, firstId + at]))
  }

  async start(program: Program): Promise<void> {
    let whole: Seen | undefined
    try {
      await this.#database.transaction(async () => {
        this.attempts += 1
        whole = { outer: undefined, isDone: false }
        await this.#runSteps(program, whole)
      })
      // The last attempt is the one that counts.
      if (whole !== undefined) whole.isDone = true
      this.isDone = true
    } catch (thrown) {
      this.thrown = thrown
    }
    // What nobody waited for, and what that began.
    for (let at = 0; at < this.#open.length; at += 1) await this.#open[at]
  }

  ids(steps: readonly Step[]): number[] {
    return steps.map((step) => this.#idOf.get(step) as number).toSorted((one, other) => one - other)
  }

  /** What has to be there: writes that were done, in transactions of which each was done. */
  written(): number[] {
    return this.ids(this.#writes.filter(lasts).map(({ step }) => step))
  }

  /** What had to be told after the commit, in any order. */
  toldOf(): number[] {
    return this.ids(this.#callbacks.filter(lasts).map(({ step }) => step))
  }

  async #runSteps({ steps, throws }: Program, seen: Seen): Promise<void> {
    for (const step of steps) await this.#run(step, seen)
    if (throws) throw new Error('It was to fail')
  }

  async #run(step: Step, seen: Seen): Promise<void> {
    const caught = step.does !== 'leave' && 'isCaught' in step && step.isCaught
    try {
      await this.#act(step, seen)
    } catch (thrown) {
      if (!caught) throw thrown
    }
  }

  async #act(step: Step, seen: Seen): Promise<void> {
    switch (step.does) {
      case 'write':
        return await this.#write(step, seen)
      case 'violate':
        await this.#database.execute(sql`insert into notes (id) values (0)`)
        return
      case 'pause':
        for (let turns = 0; turns < step.turns; turns += 1) await turn()
        return
      case 'call back':
        this.#database.afterCommit(() => void this.calledBack.push(step))
        this.#callbacks.push({ step, in: seen, isDone: true })
        return
      case 'conflict':
        if (this.attempts > 1) return
        await this.#database.query(sql`do $$ begin raise exception 'in the way' using errcode = '40001'; end $$`)
        return
      case 'lose':
        if (this.attempts > 1) return
        await this.#database.query(sql`select pg_terminate_backend(pg_backend_pid())`)
        return
      case 'part':
        return await this.#runPart(step.part, seen)
      case 'together': {
        const ended = await Promise.allSettled(step.steps.map((one) => this.#run(one, seen)))
        const failed = ended.find(({ status }) => status === 'rejected')
        if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
        return
      }
      case 'race':
        await Promise.all(step.steps.map((one) => this.#leave(this.#run(one, seen))))
        return
      case 'leave':
        void this.#leave(this.#run(step.step, seen))
    }
  }

  #leave(work: Promise<void>): Promise<void> {
    this.#open.push(work.catch(() => {}))
    return work
  }

  async #write(step: Step, seen: Seen): Promise<void> {
    const trace = { step, in: seen, isDone: false }
    this.#writes.push(trace)
    await this.#database.execute(sql`insert into notes (id) values (${this.#idOf.get(step) as number})`)
    trace.isDone = true
  }

  async #runPart(part: Program, outer: Seen): Promise<void> {
    const seen = { outer, isDone: false }
    await this.#database.transaction(() => this.#runSteps(part, seen))
    seen.isDone = true
  }
}

function lasts({ isDone, in: seen }: Trace): boolean {
  for (let at: Seen | undefined = seen; at !== undefined; at = at.outer) if (!at.isDone) return false
  return isDone
}

/** All steps, also those inside of others, in the order of the text. */
function stepsOf({ steps }: Program): Step[] {
  const inside = (step: Step): Step[] => {
    if (step.does === 'part') return [step, ...stepsOf(step.part)]
    if (step.does === 'together' || step.does === 'race') return [step, ...step.steps.flatMap(inside)]
    return step.does === 'leave' ? [step, ...inside(step.step)] : [step]
  }
  return steps.flatMap(inside)
}
