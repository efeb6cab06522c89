import type { LimitCounter, LimitStore, Taken } from '../../core/rate-limit/limit-store.ts'
import type { Redis, RedisScript } from './redis.ts'

export interface RedisLimitStoreOptions {
  /** Milliseconds to put Redis' clock forward or back by. For tests of what a stepped clock does; default none. */
  readonly shiftMs?: () => number
}

/**
 * Counts in Redis, for all processes together: one script call per question, on Redis' own clock, safe in a cluster.
 * Each counter is a key `rl:{subject}:policy` of some 150 bytes, which expires when it is full.
 */
export function createRedisLimitStore(redis: Redis, options: RedisLimitStoreOptions = {}): LimitStore {
  const shiftMs = options.shiftMs ?? (() => 0)

  return {
    async take(subject, counters, calls, spare) {
      const args = [shiftMs(), calls, spare, ...counters.flatMap(numbersOf)]
      return toTaken(await redis.run(takeScript, keysOf(subject, counters), args))
    },
    async giveBack(subject, counters, calls, takenAt) {
      const args = [shiftMs(), calls, takenAt, ...counters.flatMap(numbersOf)]
      await redis.run(giveBackScript, keysOf(subject, counters), args)
    },
    async check(subject) {
      await redis.run(checkScript, [`rl:{${subject}}`], [])
    },
  }
}

/** The braces put all counters of a subject into one slot of a cluster. */
function keysOf(subject: string, counters: readonly LimitCounter[]): readonly string[] {
  return counters.map(({ policy }) => `rl:{${subject}}:${policy}`)
}

const numbersOf = ({ intervalMs, burst }: LimitCounter): readonly number[] => [intervalMs, burst]

// Numbers leave Lua cut to integers, hence microseconds on the way out; as text they lose digits unless told how many
// to write. Counted from 2026, the fractions of a double are 0.03 µs; from 1970 they were 0.25 µs.
const start = `
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000 + time[2] / 1000 + ARGV[1]
local full, left = {}, math.huge
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  local tolerance = math.min(0.001, 1 / interval)
  local stored = tonumber(redis.pcall('GET', key))
  full[i] = now
  if stored and stored > now then full[i] = math.min(stored, now + (burst + tolerance) * interval) end
  left = math.min(left, math.max(0, math.floor(burst - (full[i] - now) / interval + tolerance)))
end
local function store(i)
  if full[i] <= now then return redis.call('DEL', KEYS[i]) end
  redis.call('SET', KEYS[i], string.format('%.17g', full[i]), 'PX', math.ceil(full[i] - now))
end`

/** Line by line what core/rate-limit/gcra.ts does. */
const takeScript: RedisScript = {
  numberOfKeys: undefined,
  lua: `${start}
local calls, spare = tonumber(ARGV[2]), tonumber(ARGV[3])
local granted = left
if left > calls then granted = calls + math.min(spare, math.floor((left - calls) / 8)) end
local reply = { granted, math.floor(now * 1000 + 0.5) }
for i = 1, #KEYS do
  full[i] = full[i] + granted * tonumber(ARGV[2 + 2 * i])
  store(i)
  reply[i + 2] = math.floor((full[i] - now) * 1000 + 0.5)
end
return reply`,
}

const giveBackScript: RedisScript = {
  numberOfKeys: undefined,
  lua: `${start}
local calls, held = tonumber(ARGV[2]), now - tonumber(ARGV[3])
for i = 1, #KEYS do
  if held >= 0 then full[i] = full[i] - math.max(0, calls * tonumber(ARGV[2 + 2 * i]) - held) end
  store(i)
end`,
}

/** Writes, because a replica and a full server still answer to PING. */
const checkScript: RedisScript = { numberOfKeys: 1, lua: `redis.call('SET', KEYS[1], 0, 'PX', 1)` }

function toTaken(reply: unknown): Taken {
  const [granted, ...times] = reply as readonly [number, ...number[]]
  const [takenAt, ...resetMs] = times.map((microseconds) => microseconds / 1000)
  if (takenAt === undefined) throw new TypeError('The limit script gave no answer')
  return { granted, takenAt, resetMs }
}
