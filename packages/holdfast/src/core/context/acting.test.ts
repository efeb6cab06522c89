import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../foundation/logger.ts'
import { actAs, currentCaller, currentIsolation, isolated } from './acting.ts'
import { type Caller, type RequestContext, withRequest } from './request-context.ts'

const caller = (id: string): Caller => ({ id, roles: [], permissions: [] })
const seen = () => [currentCaller()?.id, currentIsolation()]

function inRequest<Result>(principal: Caller | undefined, isolation: string | undefined, work: () => Result): Result {
  const context: RequestContext = {
    requestId: 'r',
    clientAddress: '203.0.113.9',
    principal,
    isolation,
    logger: silentLogger,
    signal: new AbortController().signal,
    traceparent: '',
    remainingMs: () => 1000,
  }
  return withRequest(context, work, undefined)
}

describe('given a request', () => {
  test('when nothing else is said, its principal and its class count', () => {
    expect(inRequest(caller('ann'), 'reporting', seen)).toEqual(['ann', 'reporting'])
    expect(inRequest(undefined, undefined, seen)).toEqual([undefined, undefined])
    expect(seen()).toEqual([undefined, undefined])
  })

  test('when somebody acts for another, or for nobody, or in another class, only that changes', () => {
    inRequest(caller('ann'), 'reporting', () => {
      expect(actAs(caller('bob'), seen)).toEqual(['bob', 'reporting'])
      expect(actAs(undefined, seen)).toEqual([undefined, 'reporting'])
      expect(isolated('mails', seen)).toEqual(['ann', 'mails'])
      expect(isolated('mails', () => actAs(caller('bob'), seen))).toEqual(['bob', 'mails'])
      expect(seen()).toEqual(['ann', 'reporting'])
    })
  })

  test('when it begins inside of that, its own principal counts', () => {
    const inside = () => inRequest(caller('carl'), undefined, seen)
    expect(inRequest(undefined, undefined, () => actAs(caller('bob'), inside))).toEqual(['carl', undefined])
    expect(isolated('mails', inside)).toEqual(['carl', undefined])
  })

  test('when whom it acts for has nothing but an id, they have no rights', () => {
    expect(actAs({ id: 'bob' }, currentCaller)).toEqual({ id: 'bob', roles: [], permissions: [] })
  })

  test('when the work is a query that begins when it is waited for, it begins inside', async () => {
    const query = { then: (resolve: (value: unknown) => void) => resolve(seen()) }
    const asked = isolated('mails', () => actAs({ id: 'bob' }, () => query as unknown as Promise<unknown>))
    expect(await asked).toEqual(['bob', 'mails'])
  })

  test('when the work goes on later, it is still known', async () => {
    const later = actAs(caller('bob'), async () => {
      await new Promise((resolve) => setImmediate(resolve))
      return seen()
    })
    expect(await later).toEqual(['bob', undefined])
  })
})
