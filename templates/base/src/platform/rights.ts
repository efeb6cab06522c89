import type { AccessRule } from 'holdfast/http'

/** What each role may do, as `area:action`. Whoever has no role may what everybody may who signed in. */
const permissions = {
  admin: ['catalog:write', 'orders:read', 'orders:ship', 'reports:read'],
  editor: ['catalog:write'],
} as const

export type Role = keyof typeof permissions
export const roleNames = Object.keys(permissions) as [Role, ...Role[]]

export const isRole = (name: string): name is Role => Object.hasOwn(permissions, name)

export const permissionsOf = (roles: readonly Role[]): string[] => [
  ...new Set(roles.flatMap((role) => permissions[role])),
]

/** Who signed in. Not a machine with an API key: it speaks for its owner within its scope, and nothing else. */
export const person: AccessRule = { rule: 'person', allows: ({ sessionId }) => sessionId !== undefined }
