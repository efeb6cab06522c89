import { describe, expect, test } from 'vitest'
import {
  AppError,
  ConflictError,
  NotFoundError,
  ServiceUnavailableError,
  UnauthorizedError,
  ValidationError,
} from '../../foundation/errors.ts'
import { toProblem } from './problem.ts'

const context = { requestId: 'r-1', instance: '/orders/7' }

describe('given an expected failure', () => {
  test('when it is judged, the caller learns its message and code and nothing of its cause', () => {
    const error = new ConflictError('orders.already_shipped', 'The order has left.', { cause: new Error('secret') })
    expect(toProblem(error, context)).toEqual({
      problem: {
        type: 'about:blank',
        title: 'Conflict',
        status: 409,
        detail: 'The order has left.',
        instance: '/orders/7',
        requestId: 'r-1',
        code: 'orders.already_shipped',
      },
      isDefect: false,
      retryAfterSeconds: undefined,
    })
  })

  test('when it names single faults, they are sent without whatever else hangs on them', () => {
    const issue = { path: ['body', 'lines', 0], code: 'too_small', message: 'At least 1.', input: 'secret' }
    const { problem } = toProblem(new ValidationError('Wrong.', { issues: [issue] }))
    expect(problem.errors).toEqual([{ path: ['body', 'lines', 0], code: 'too_small', message: 'At least 1.' }])
  })

  test.each([
    [new UnauthorizedError(), 401],
    [new NotFoundError('a.b', 'None.'), 404],
    [new ServiceUnavailableError('a.b', 'Later.'), 503],
  ])('when it is %s, its status is %i', (error, status) => {
    expect(toProblem(error).problem.status).toBe(status)
  })

  test.each([
    [1.2, 2],
    [0, undefined],
    [-1, undefined],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
  ])('when it may be retried after %d s, the header says %s', (retryAfterSeconds, expected) => {
    const error = new ServiceUnavailableError('a.b', 'Later.', { retryAfterSeconds })
    expect(toProblem(error).retryAfterSeconds).toBe(expected)
  })

  test('when another copy of the package made it, it is recognised', async () => {
    const copy = '../../foundation/errors.ts?copy'
    const other = (await import(copy)) as typeof import('../../foundation/errors.ts')
    const error = new other.ConflictError('a.b', 'Twice.')
    expect(error).not.toBeInstanceOf(AppError)
    expect(toProblem(error).problem.status).toBe(409)
  })
})

const brand = Symbol.for('holdfast.AppError')
const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error('secret')
    },
  },
)
const revoked = Proxy.revocable({}, {})
revoked.revoke()

describe('given anything else that was thrown', () => {
  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a text', 'secret'],
    ['a symbol', Symbol('secret')],
    ['an error', new Error('secret')],
    [
      'an error that claims a status',
      Object.assign(new Error('secret'), { status: 404, statusCode: 9999, expose: true }),
    ],
    ['a proxy that throws', throwing],
    ['a revoked proxy', revoked.proxy],
    [
      'an AppError of no kind',
      Object.assign(Object.create(null), { [brand]: true, kind: 'toString', code: 'x', message: 'secret' }),
    ],
    [
      'an AppError whose kind throws',
      {
        [brand]: true,
        get kind() {
          throw new Error('secret')
        },
      },
    ],
    [
      'an AppError whose message is no text',
      { [brand]: true, kind: 'invalid', code: 'x', message: { toString: () => 'secret' } },
    ],
    ['an AppError whose issues throw', { [brand]: true, kind: 'invalid', code: 'x', message: 'm', issues: throwing }],
  ])('when it is %s, it is a defect and the answer is bare', (_name, thrown) => {
    const { problem, isDefect } = toProblem(thrown, context)
    expect(isDefect).toBe(true)
    expect(problem).toMatchObject({ status: 500, code: 'internal', requestId: 'r-1' })
    expect(JSON.stringify(problem)).not.toContain('secret')
  })
})
