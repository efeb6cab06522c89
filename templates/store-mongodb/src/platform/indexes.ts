export interface Index {
  readonly name: string
  readonly key: Readonly<Record<string, 1 | -1>>
  readonly unique?: boolean
  readonly partialFilterExpression?: Readonly<Record<string, unknown>>
}

/** The indexes of each collection, made by npm run migrate. Add to them; a name stays with what it stands for. */
export const indexes: Readonly<Record<string, readonly Index[]>> = {
  products: [
    { name: 'products_sku_key', key: { sku: 1 }, unique: true },
    { name: 'products_by_status', key: { status: 1, _id: -1 } },
  ],
  accounts: [
    { name: 'accounts_email_key', key: { email: 1 }, unique: true },
    // Whoever must not become nobody.
    { name: 'accounts_admins', key: { roles: 1 }, partialFilterExpression: { roles: 'admin' } },
  ],
  audit_events: [{ name: 'audit_events_by_account', key: { accountId: 1, _id: -1 } }],
  orders: [
    { name: 'orders_by_account', key: { accountId: 1, _id: -1 } },
    { name: 'orders_by_time', key: { createdAt: 1 } },
  ],
}
