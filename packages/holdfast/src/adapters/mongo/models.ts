import mongoose from 'mongoose'
import type { Connection, Model, Schema } from 'mongoose'
import { routedCollection } from './routed-collection.ts'
import type { Router } from './routed-collection.ts'

/** The model that Mongoose makes of a schema. */
export type ModelOf<ModelSchema extends Schema> = Model<mongoose.InferSchemaType<ModelSchema>>

/**
 * Models of one database. Mongoose checks and casts; it opens no connection of its own, and whatever it asks of the driver
 * goes through {@link routedCollection}.
 */
export class Models {
  readonly #connection: Connection
  readonly #schemas = new Map<string, Schema>()

  constructor(router: Router) {
    // An instance of its own: what is set here is nobody else's.
    const connection = new mongoose.Mongoose({
      autoCreate: false,
      autoIndex: false,
      bufferCommands: false,
    }).createConnection()
    const db = { collection: (name: string) => routedCollection(name, router) }
    this.#connection = Object.assign(connection, { db })
  }

  /** @throws {TypeError} when another schema has that name */
  define<ModelSchema extends Schema>(name: string, schema: ModelSchema): ModelOf<ModelSchema> {
    const known = this.#schemas.get(name)
    if (known === undefined) this.#compile(name, schema)
    else if (known !== schema) throw new TypeError(`Two schemas are named ${name}; a model has one`)
    return this.#connection.model(name) as unknown as ModelOf<ModelSchema>
  }

  #compile(name: string, schema: Schema): void {
    const own = schema.clone()
    beStrict(own)
    own.set('autoCreate', false)
    own.set('autoIndex', false)
    own.set('bufferCommands', false)
    own.set('optimisticConcurrency', true)
    const { collection } = this.#connection.model(name, own)
    // Some of Mongoose waits for its connection to open, which it never does.
    Object.assign(collection, { buffer: false })
    this.#schemas.set(name, schema)
  }
}

/** Fields that the schema does not know are refused, in what is stored and in filters, at every depth. */
function beStrict(schema: Schema): void {
  schema.set('strict', 'throw')
  schema.set('strictQuery', 'throw')
  for (const child of schema.childSchemas) beStrict(child.schema)
}
