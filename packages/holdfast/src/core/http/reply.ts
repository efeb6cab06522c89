import type { InputOf, Schema } from '../../foundation/schema.ts'

/** Headers a handler adds. The pipeline owns framing, security and id headers; naming one of those is a defect. */
export type ReplyHeaders = Readonly<Record<string, string>>

/** What a handler answers. Made by {@link ok}, {@link created}, {@link accepted}, {@link noContent} and {@link page}. */
export interface Reply<Status extends number = number, Data = unknown> {
  readonly status: Status
  readonly data: Data
  readonly headers?: ReplyHeaders | undefined
}

/** One page of a longer list. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** What to send as `cursor` to get the next page; `null` on the last. */
  readonly nextCursor: string | null
}

export const ok = <Data>(data: Data, headers?: ReplyHeaders): Reply<200, Data> => ({ status: 200, data, headers })

/**
 * @param location - path of what was made, such as `/products/7`. Letters beyond ASCII are encoded here; encode `%`, `?`
 * and `#` inside a segment yourself (`encodeURIComponent`)
 */
export const created = <Data>(location: string, data: Data, headers?: ReplyHeaders): Reply<201, Data> => ({
  status: 201,
  data,
  headers: { ...headers, location: encodeURI(location) },
})

export const accepted = <Data>(data: Data, headers?: ReplyHeaders): Reply<202, Data> => ({ status: 202, data, headers })

export const noContent = (headers?: ReplyHeaders): Reply<204, undefined> => ({ status: 204, data: undefined, headers })

export interface PageReply {
  <Item>(items: readonly Item[], nextCursor: string | null, headers?: ReplyHeaders): Reply<200, Page<Item>>
  /** A page as a `keyset` gives it. */
  <Item>(page: Page<Item>, headers?: ReplyHeaders): Reply<200, Page<Item>>
}

export const page: PageReply = <Item>(
  found: Page<Item> | readonly Item[],
  next?: string | null | ReplyHeaders,
  headers?: ReplyHeaders,
): Reply<200, Page<Item>> =>
  isList(found)
    ? { status: 200, data: { items: found, nextCursor: next as string | null }, headers }
    : { status: 200, data: found, headers: next as ReplyHeaders | undefined }

const isList = <Item>(found: Page<Item> | readonly Item[]): found is readonly Item[] => Array.isArray(found)

/** Declares a reply that is a page of `item`s: `reply: { 200: pageOf(Product) }`. */
export interface PageSchema<Item extends Schema = Schema> {
  readonly pageOf: Item
}
export const pageOf = <Item extends Schema>(item: Item): PageSchema<Item> => ({ pageOf: item })

/** Declares a reply without a body: `reply: { 204: empty }`. */
export const empty = { empty: true } as const
export type Empty = typeof empty

/** Declares a reply that is text of its own media type, as it is: `reply: { 200: textOf('text/html; charset=utf-8') }`. */
export interface TextSchema {
  readonly textOf: string
}
export const textOf = (mediaType: string): TextSchema => ({ textOf: mediaType })

/** The allow-list of what may leave under one status. */
export type ReplyShape = Schema | PageSchema | TextSchema | Empty
/** Every status a route may answer with, and what may leave with it. */
export type ReplyShapes = Readonly<Record<number, ReplyShape>>

export const isPageSchema = (shape: ReplyShape): shape is PageSchema => 'pageOf' in shape
export const isTextSchema = (shape: ReplyShape): shape is TextSchema => 'textOf' in shape
export const isEmpty = (shape: ReplyShape): shape is Empty => 'empty' in shape

/** What a handler may return for a shape; lists and members may be read-only. */
type DataFor<Shape> = Shape extends Empty
  ? undefined
  : Shape extends TextSchema
    ? string
    : Shape extends PageSchema<infer Item>
      ? Page<AsReadonly<InputOf<Item>>>
      : AsReadonly<InputOf<Shape>>

type AsReadonly<T> = T extends readonly (infer Item)[]
  ? readonly AsReadonly<Item>[]
  : T extends Date | Uint8Array | ((...args: never[]) => unknown)
    ? T
    : T extends object
      ? { readonly [Key in keyof T]: AsReadonly<T[Key]> }
      : T

/** The replies that a route with these shapes may give: no other status, no other data. */
export type ReplyFor<Shapes> = {
  [Status in keyof Shapes & number]: Reply<Status, DataFor<Shapes[Status]>>
}[keyof Shapes & number]
