import { generateKey } from 'holdfast/auth'

/** Prints a value for AUTH_KEYS. Keep it as you keep a password. */
console.log(JSON.stringify({ keys: [generateKey()] }))
