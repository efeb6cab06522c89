export type { LimitStore, Take, Taken } from '../core/rate-limit/limit-store.ts'
export type {
  LimitDecision,
  Limiter,
  LimiterOptions,
  LimitGate,
  LimitPolicy,
  LimitSubject,
} from '../core/rate-limit/limiter.ts'
