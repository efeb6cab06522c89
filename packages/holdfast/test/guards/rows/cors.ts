import { ambientCredentials, cookieForEverybody } from '../careless.ts'
import { adasSecret, both, type Lab, password } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { apiHost } from '../service.ts'
import { inWords, type Received } from '../wire.ts'
import { withoutCors, withoutCorsFor } from '../without.ts'

const evil = 'https://evil.example'
/** A neighbour of the service, on the same site, that somebody else got hold of. */
const neighbour = 'https://blog.notes.example'
const withheld = 'nothing: the browser withholds the reply'

const everyOrigin = { service: withoutCors }
const trusting = (origin: string) => ({ service: withoutCorsFor(origin) })

export const corsRows: readonly Row[] = [
  {
    guard: 'CORS',
    how: 'every origin',
    attack: "A page of another site reads Ada's notes with what her browser has",
    stoppedBy: 'no ambient credentials: a bearer token is sent by nobody but the app',
    sees: { inPlace: withheld, guardGone: '401 auth.unauthenticated' },
    guardGone: everyOrigin,
    nextGone: { service: ambientCredentials },
    // With `*` browsers take no cookies along; a service that believes cookies is robbed where it trusts by name.
    bothGone: both(trusting(evil), { service: ambientCredentials }),
    run: readNotes,
  },
  {
    guard: 'CORS',
    how: "the attacker's origin, with credentials",
    attack: "A page of another site reads Ada's notes with all that her browser has",
    stoppedBy: 'no ambient credentials: a bearer token is sent by nobody but the app',
    sees: { inPlace: withheld, guardGone: '401 auth.unauthenticated' },
    guardGone: trusting(evil),
    nextGone: { service: ambientCredentials },
    run: readNotes,
  },
  {
    guard: 'CORS',
    how: "the attacker's origin, with credentials",
    attack: "A page of another site refreshes Ada's session with her cookie",
    stoppedBy: 'SameSite=Strict: the cookie stays at home',
    sees: { inPlace: withheld, guardGone: '401 auth.refresh_invalid' },
    guardGone: trusting(evil),
    nextGone: { parts: cookieForEverybody },
    run: (lab) => refreshFrom(lab, evil),
  },
  {
    guard: 'CORS',
    how: 'every origin',
    attack:
      "A page of a neighbouring host, for which SameSite is no obstacle, has Ada's session refreshed with her cookie",
    stoppedBy: 'the Origin check: the cookie counts for pages of the own origin only',
    sees: { inPlace: '403 request.foreign_origin', guardGone: '403 request.foreign_origin, readable by every page' },
    guardGone: everyOrigin,
    // Where CORS trusts an origin with credentials, so does the Origin check.
    bothGone: trusting(neighbour),
    run: (lab) => useUp(lab, neighbour),
  },
]

async function readNotes({ newBrowser, people }: Lab): Promise<Outcome> {
  const browser = newBrowser()
  // As a service would set it that had chosen cookies to say who calls.
  browser.keep(`access=${people.ada.bearer.slice('Bearer '.length)}; Path=/; Secure; SameSite=None`)
  const withCookies = await browser.fetch(evil, { path: '/notes' })
  const received = withCookies ?? (await browser.fetch(evil, { path: '/notes' }, 'omit'))
  return { sees: seen(received), succeeded: received?.text.includes(adasSecret) === true }
}

async function refreshFrom(lab: Lab, page: string): Promise<Outcome> {
  const browser = await signedInBrowser(lab)
  const received = await browser.fetch(page, { method: 'POST', path: '/auth/refresh' })
  return { sees: seen(received), succeeded: received?.text.includes('accessToken') === true }
}

/** What the page may read does not matter here: that the service acts is the harm. */
async function useUp(lab: Lab, page: string): Promise<Outcome> {
  const browser = await signedInBrowser(lab)
  await browser.fetch(page, { method: 'POST', path: '/auth/refresh' })
  const { received } = lab.replies.at(-1)!
  const isReadable = received.headers['access-control-allow-origin'] === '*'
  return {
    sees: inWords(received) + (isReadable ? ', readable by every page' : ''),
    succeeded: received.status === 200,
  }
}

async function signedInBrowser({ newBrowser, people }: Lab): Promise<ReturnType<Lab['newBrowser']>> {
  const browser = newBrowser()
  const body = { email: people.ada.email, password }
  const received = await browser.fetch(`https://${apiHost}`, { method: 'POST', path: '/auth/login', body })
  if (received?.status !== 200) throw new Error(`Ada could not sign in: ${seen(received)}`)
  return browser
}

const seen = (received: Received | undefined): string => (received === undefined ? withheld : inWords(received))
