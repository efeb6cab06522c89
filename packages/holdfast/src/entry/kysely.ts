export { createKysely, type KyselyOptions } from '../adapters/postgres/kysely.ts'
