export {
  apiHeaders,
  pageHeaders,
  type PageHeadersOptions,
  securityHeaders,
  type SecurityHeadersOptions,
} from '../adapters/helmet/security-headers.ts'
export type { HeaderPolicy } from '../core/http/header-policy.ts'
