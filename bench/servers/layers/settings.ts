// What all contenders agree on, and the load with them.
export const issuer = 'https://bench.example.com'
export const audience = 'bench'
/** Longer than a run. */
export const lifetimeSeconds = 3600
export const origin = 'https://app.example.com'

/** So high that nobody meets it. */
export const roomy = { quota: 1_000_000, windowSeconds: 60 } as const
/** Of the one route that is there to say 429. */
export const scarce = { quota: 1, windowSeconds: 86_400 } as const

/** What stands in a refusal of those who make theirs by hand, of the size of ours. */
export const refusal = (status: number, title: string, detail: string) => ({
  type: 'about:blank',
  title,
  status,
  detail,
})
