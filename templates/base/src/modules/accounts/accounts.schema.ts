import { z } from 'zod'
import { pageQuery } from '../../platform/paging.ts'
import { type Role, roleNames } from '../../platform/rights.ts'
import { isCommonPassword } from './common-passwords.ts'

/** The one form in which addresses are compared, counted and stored; the database takes no other. */
export const toEmail = (text: string): string => text.trim().normalize('NFC').toLowerCase()

const email = z.string().max(254).transform(toEmail).pipe(z.email('This is no e-mail address'))
const newPassword = z
  .string()
  .min(8, 'A password has at least 8 characters')
  .max(1024)
  .refine((text) => !isCommonPassword(text), 'This password is among the first that are tried; take another one')
// Rules for new passwords are none for old ones: whoever has one that broke them must be able to change it.
const password = z.string().min(1).max(1024)
const refreshToken = z.string().min(1).max(512)
const roles = z
  .array(z.enum(roleNames))
  .max(20)
  .transform((list): Role[] => [...new Set(list)])

export const NewAccount = z.object({ email, password: newPassword })
export type NewAccount = z.infer<typeof NewAccount>

export const Credentials = z.object({
  email,
  password,
  /** `browser` has the refresh token in a cookie, out of reach of scripts. */
  mode: z.enum(['token', 'browser']).default('token'),
  /** What its owner may know the session by, such as Firefox on Linux. */
  device: z.string().max(200).default(''),
})
export type Credentials = z.infer<typeof Credentials>

/** Send the token, or nothing and the cookie. */
export const Refresh = z.object({ refreshToken: refreshToken.optional() })
export type Refresh = z.infer<typeof Refresh>

export const RefreshCookie = z.object({ '__Host-refresh': refreshToken.optional() })
export type RefreshCookie = z.infer<typeof RefreshCookie>

export const PasswordChange = z.object({ currentPassword: password, newPassword })
export type PasswordChange = z.infer<typeof PasswordChange>

export const AccountChange = z
  .object({ roles: roles.optional(), disabled: z.boolean().optional() })
  .refine((change) => change.roles !== undefined || change.disabled !== undefined, 'Change roles, disabled or both')
export type AccountChange = z.infer<typeof AccountChange>

/** In one spelling, for all that compare ids as texts. */
export const Id = z.object({ id: z.uuid().toLowerCase() })
export type Id = z.infer<typeof Id>

export const AccountQuery = z.object(pageQuery)
export type AccountQuery = z.infer<typeof AccountQuery>

export const AuditQuery = z.object({ ...pageQuery, account: Id.shape.id.optional() })
export type AuditQuery = z.infer<typeof AuditQuery>

/** Says the same for new addresses and for known ones. */
export const Registration = z.object({ status: z.literal('accepted') })

export const Tokens = z.object({
  accessToken: z.string(),
  tokenType: z.literal('Bearer'),
  expiresInSeconds: z.int(),
  /** Absent where a cookie carries it. */
  refreshToken: z.string().optional(),
  refreshExpiresInSeconds: z.int(),
})
export type Tokens = z.infer<typeof Tokens>

export const Account = z.object({
  id: z.uuid(),
  email: z.string(),
  roles: z.array(z.enum(roleNames)),
  isDisabled: z.boolean(),
  createdAt: z.iso.datetime(),
})
export type Account = z.infer<typeof Account>

export const Me = Account.omit({ isDisabled: true }).extend({ permissions: z.array(z.string()) })

export const SessionItem = z.object({
  id: z.uuid(),
  label: z.string(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  isCurrent: z.boolean(),
})

export const AuditItem = z.object({
  id: z.uuid(),
  type: z.string(),
  accountId: z.uuid().nullable(),
  actorId: z.uuid().nullable(),
  sessionId: z.uuid().nullable(),
  requestId: z.string().nullable(),
  clientAddress: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  createdAt: z.iso.datetime(),
})
export type AuditItem = z.infer<typeof AuditItem>
