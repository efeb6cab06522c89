export {
  createContainer,
  type Container,
  type NeedOptions,
  type Scope,
  type Services,
  type ServicesOf,
  type StartServicesOptions,
} from '../core/container/container.ts'
export { ContainerError } from '../core/container/container-error.ts'
