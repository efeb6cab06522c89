import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../core/config/config.ts'
import { Secret } from '../../core/config/secret.ts'
import { connectionUrl, secret, sensitive } from './secret.ts'

describe('given a schema with secrets', () => {
  const Settings = z.object({
    JWT_SECRET: secret().meta({ description: 'signs tokens' }),
    DATABASE_URL: connectionUrl({ schemes: ['postgres', 'postgresql'] }),
    SMTP_PASSWORD: sensitive().optional(),
  })
  const key = randomBytes(32).toString('base64')
  const url = 'postgres://shop:canary-password@a:1,b:2/shop'

  test('when values are good, they come wrapped and typed', () => {
    const config = loadConfig(Settings, { env: { JWT_SECRET: key, DATABASE_URL: url, SMTP_PASSWORD: 'short' } })
    const wrapped: Secret = config.JWT_SECRET
    expect(wrapped).toBeInstanceOf(Secret)
    expect(wrapped.reveal()).toBe(key)
    expect(config.SMTP_PASSWORD?.reveal()).toBe('short')
    // @ts-expect-error -- a wrapped secret is no string, so it cannot be passed on by accident
    const text: string = config.DATABASE_URL
    expect(String(text)).toBe('[secret]')
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('canary-password')
  })

  test.each(['canary-short', 'canarycanarycanarycanarycanarycanary', 'canary-changeme-canary-changeme-0123456789'])(
    'when the key is weak (%#), it is refused without being shown',
    (weak) => {
      const attempt = Settings.safeParse({ JWT_SECRET: weak, DATABASE_URL: url }, { reportInput: true })
      expect(attempt.error?.issues).toHaveLength(1)
      expect(inspect(attempt.error?.issues, { depth: 9 }) + z.prettifyError(attempt.error!)).not.toContain('canary')
      expect(() => loadConfig(Settings, { env: { JWT_SECRET: weak, DATABASE_URL: url } })).toThrow(
        /JWT_SECRET is wrong: the value .*openssl rand.*\(signs tokens\)/,
      )
    },
  )

  test.each(['canary', 'http://canary', 'postgres://can ary', '://canary'])(
    'when the address is %j, it is refused without being shown',
    (address) => {
      expect(() => loadConfig(Settings, { env: { JWT_SECRET: key, DATABASE_URL: address } })).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('canary') }),
      )
    },
  )

  test('when the least length is nonsense, the schema is not made', () => {
    expect(() => secret({ minBytes: Number.NaN })).toThrow(RangeError)
  })
})
