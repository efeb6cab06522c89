/** @throws {TypeError} for a name that is not made of letters, digits and `_` */
export function plainName(name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new TypeError(`A column or table name is made of letters, digits and _; received ${show(name)}`)
}

/** A name in double quotes, so that PostgreSQL reads it as one name whatever it holds. */
export function quote(name: string): string {
  if (name.includes('\0')) throw new TypeError('A name in SQL holds no NUL character')
  return `"${name.replaceAll('"', '""')}"`
}

/** What was received, as an error shows it. */
export function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : value === null ? 'null' : typeof value
}
