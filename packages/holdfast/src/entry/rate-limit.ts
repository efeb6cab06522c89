export { createLimiter } from '../core/rate-limit/create-limiter.ts'
export type { LimitCounter, LimitStore, Taken } from '../core/rate-limit/limit-store.ts'
export type {
  LimitDecision,
  Limiter,
  LimiterOptions,
  LimitGate,
  LimitPolicy,
  LimitSubject,
} from '../core/rate-limit/limiter.ts'
export {
  createMemoryLimitStore,
  type MemoryLimitStore,
  type MemoryLimitStoreOptions,
} from '../core/rate-limit/memory-limit-store.ts'
