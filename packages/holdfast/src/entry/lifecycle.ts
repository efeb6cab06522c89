export {
  createHealth,
  type CheckResult,
  type Health,
  type HealthCheck,
  type HealthOptions,
  type Readiness,
} from '../core/lifecycle/health.ts'
export {
  createLifecycle,
  type Drainable,
  type Lifecycle,
  type LifecycleOptions,
  type LifecycleState,
  type StartContext,
  type StopReason,
} from '../core/lifecycle/lifecycle.ts'
export { runService, type RunServiceSeams, type ServiceOptions } from '../core/lifecycle/run-service.ts'
export { nodeProcess, type DefectOrigin, type ProcessPort, type StopSignal } from '../core/lifecycle/signals.ts'
