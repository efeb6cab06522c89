export { mapRows } from '../../foundation/row-mapper.ts'
export type { RowMapper } from '../../foundation/row-mapper.ts'

/** A row as it came: column names as the query gives them. */
export type Row = Readonly<Record<string, unknown>>
