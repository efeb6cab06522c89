import { isAppError } from '../../foundation/errors.ts'
import type { ActiveCall } from './active-call.ts'
import { defaultHeaders, type FlatHeaders, keepFromCaches } from './header-block.ts'
import type { PipelineSettings } from './pipeline-settings.ts'
import { challengeOf, lastResortBody, type Problem, problemContentType, toProblem } from './problem.ts'
import type { WireReply } from './raw-call.ts'
import { logRequest } from './request-log.ts'
import { pushCallHeaders } from './wire-reply.ts'

/**
 * The one handler of everything thrown, on any edge, by any layer. Expected failures are answered with what they say;
 * all else is logged whole and answered bare. Never throws itself.
 */
export function refuse(
  call: ActiveCall,
  thrown: unknown,
  settings: PipelineSettings,
  extraHeaders: FlatHeaders = [],
): WireReply {
  try {
    return toRefusal(call, thrown, settings, extraHeaders)
  } catch (again) {
    return lastResort(again, settings)
  }
}

function toRefusal(
  call: ActiveCall,
  thrown: unknown,
  settings: PipelineSettings,
  extraHeaders: FlatHeaders,
): WireReply {
  const context = { requestId: call.requestId, instance: call.instance }
  const { problem, isDefect, retryAfterSeconds } = toProblem(thrown, context)
  // What the abort of its own signal made a handler throw is no defect: it did what it was asked to.
  if (isDefect && !call.isAbortReason(thrown)) logDefect(call, thrown, settings)
  else if (problem.status >= 500 && !isRoutine(thrown)) logOutage(call, thrown, settings)
  const body = JSON.stringify(isDefect && settings.revealDefects ? reveal(problem, thrown) : problem)
  const bytes = Buffer.byteLength(body)
  const headers = [...(call.blocks ?? settings.blocks).of(call), ...extraHeaders]
  // A cache that kept one caller's refusal would refuse everybody.
  keepFromCaches(headers)
  headers.push('content-type', problemContentType, 'content-length', String(bytes))
  pushCallHeaders(headers, call)
  call.settleLimits(problem.status)
  if (retryAfterSeconds !== undefined) headers.push('retry-after', String(retryAfterSeconds))
  // RFC 9110 section 11.6.1 demands a challenge with every 401.
  if (problem.status === 401) headers.push('www-authenticate', challengeOf(problem.code))
  logRequest(settings.logger, call, problem.status, bytes, problem.code)
  return { status: problem.status, headers, body, closes: problem.status === 408 }
}

/** A refusal of our own that is handed out by the thousand under load: its request line says all there is to say. */
function isRoutine(thrown: unknown): boolean {
  return isAppError(thrown) && thrown.cause === undefined && !String(thrown.stack).includes('\n    at ')
}

/** The handler of errors failed: a constant, so that nothing about it can fail or leak. */
export function lastResort(thrown: unknown, { logger }: PipelineSettings): WireReply {
  logger.fatal({ err: thrown }, 'the error handler failed')
  const length = String(lastResortBody.length)
  const headers = [...defaultHeaders, 'content-type', problemContentType, 'content-length', length]
  return { status: 500, headers, body: lastResortBody, closes: false }
}

function logDefect(call: ActiveCall, thrown: unknown, { logger }: PipelineSettings): void {
  const { method } = call.raw
  logger.error(
    { err: thrown, method, route: call.route, requestId: call.requestId },
    'a defect: nobody expected this to be thrown',
  )
}

function logOutage(call: ActiveCall, thrown: unknown, { logger }: PipelineSettings): void {
  logger.warn({ err: thrown, route: call.route, requestId: call.requestId }, 'something this service depends on failed')
}

/** For the developer's own screen: the detail that everybody else must not see. */
function reveal(problem: Problem, thrown: unknown): Problem {
  try {
    return { ...problem, detail: thrown instanceof Error ? String(thrown.stack) : String(thrown) }
  } catch {
    return problem
  }
}
