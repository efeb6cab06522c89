export { createPasswordHasher, type PasswordHasherOptions } from '../adapters/argon2/password-hasher.ts'
export type { PasswordHasher } from '../core/auth/password-hasher.ts'
