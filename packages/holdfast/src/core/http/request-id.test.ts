import { describe, expect, test } from 'vitest'
import { childTraceparent, chooseRequestId, parseTraceparent } from './request-id.ts'

const uuid = /^[0-9a-f-]{36}$/

describe('given an incoming request id', () => {
  test('when a proxy of ours sends a well-formed one, it is kept', () => {
    expect(chooseRequestId('req-0123456789', true)).toBe('req-0123456789')
  })

  test.each([
    ['req-0123456789', false],
    ['short', true],
    ['a'.repeat(129), true],
    ['with blank 1234', true],
    ['line\nbreak1234', true],
    [['req-0123456789', 'req-0123456789'], true],
    [undefined, true],
  ] as [string | string[] | undefined, boolean][])(
    'when it is %j and the peer is trusted: %s, a new one is made',
    (incoming, isTrusted) => {
      expect(chooseRequestId(incoming, isTrusted)).toMatch(uuid)
    },
  )
})

describe('given a traceparent', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'

  test('when it is valid, outgoing calls stay in its trace under a parent of ours', () => {
    const trace = parseTraceparent(`00-${traceId}-b7ad6b7169203331-01`)
    expect(trace).toEqual({ traceId, flags: '01' })
    expect(childTraceparent(trace)).toMatch(new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
  })

  test('when a later version adds fields, it is still read', () => {
    expect(parseTraceparent(`cc-${traceId}-b7ad6b7169203331-01-more`)?.traceId).toBe(traceId)
  })

  test.each([
    undefined,
    '',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `ff-${traceId}-b7ad6b7169203331-01`,
    `00-${traceId}-b7ad6b7169203331-01-more`,
    `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${traceId}-b7ad6b7169203331`,
    'x'.repeat(10_000),
  ])('when it is %j, a new trace begins', (header) => {
    expect(parseTraceparent(header)).toBeUndefined()
    expect(childTraceparent(undefined)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  })
})
