export type { PasswordHasher } from '../core/auth/password-hasher.ts'
