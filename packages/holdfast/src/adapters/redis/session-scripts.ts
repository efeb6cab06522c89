import { rememberedTokens } from '../../core/auth/session-store.ts'
import type { RedisScript } from './script.ts'

/*
 * Keys, all with the same hash tag and so in one slot of a cluster:
 *   {sessions}:one:<id>        hash: one session
 *   {sessions}:of:<principal>  sorted set: ids by the time they end at the latest
 *   {sessions}:revoked         sorted set: `s:<at>:<session>` and `p:<at>:<principal>` by number
 *   {sessions}:state           hash: since when this Redis remembers, the last number and when it was given
 */

// Outlives every session, since its loss counts as the loss of all.
const stateMs = 400 * 86_400_000

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
local function text(number) return string.format('%.0f', number) end
`

// Sessions, and so tokens, are dated after `since`.
const remember = `
local function remember(state)
  redis.call('HSETNX', state, 'since', text(now))
  redis.call('PEXPIRE', state, ${stateMs})
end
`

const revoke = `${remember}
local function revoke(state, revoked, channel, keepMs, kind, id)
  remember(state)
  local number = redis.call('HINCRBY', state, 'number', 1)
  local message = kind .. ':' .. text(now) .. ':' .. id
  redis.call('HSET', state, 'last', text(now))
  redis.call('ZADD', revoked, number, message)
  redis.call('PEXPIRE', revoked, keepMs)
  redis.call('PUBLISH', channel, message)
end
`

/** keys: state, session, principal. args: shift, id, principal, label, family, token, idle, lifetime. */
export const createScript: RedisScript = {
  numberOfKeys: 3,
  lua: `${clock}${remember}
local expires = now + ARGV[8]
local ends = math.min(now + ARGV[7], expires)
remember(KEYS[1])
redis.call('HSET', KEYS[2], 'principal', ARGV[3], 'label', ARGV[4], 'family', ARGV[5], 'token', ARGV[6],
  'created', text(now), 'used', text(now), 'expires', text(expires), 'ends', text(ends), 'tokens', '')
redis.call('PEXPIRE', KEYS[2], text(ends - now))
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
redis.call('ZADD', KEYS[3], text(expires), ARGV[2])
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[3], text(math.max(1, last[2] - now)))
return { text(now), text(expires) }`,
}

/** keys: sessions. args: shift. Gives one list of fields for each that is there, in order, and false for the others. */
export const readScript: RedisScript = {
  numberOfKeys: undefined,
  lua: `${clock}
local found = { text(now) }
for place, key in ipairs(KEYS) do
  local one = redis.call('HMGET', key, 'principal', 'label', 'created', 'used', 'expires', 'ends', 'family')
  found[place + 1] = one[6] and tonumber(one[6]) > now and one
end
return found`,
}

/** keys: session, state, revoked. args: shift, family, token, successor, sealed, replay, idle, id, channel, keep. */
export const rotateScript: RedisScript = {
  numberOfKeys: 3,
  lua: `${clock}${revoke}
local one = redis.call('HMGET', KEYS[1],
  'principal', 'label', 'created', 'used', 'expires', 'ends', 'family', 'token', 'tokens')
if not one[6] or tonumber(one[6]) <= now or one[7] ~= ARGV[2] then return { 'unknown' } end

local outcome = 'reused'
local chain = {}
local kept = {}
if one[8] == ARGV[3] then
  outcome = 'rotated'
  kept[1] = ARGV[3] .. ' ' .. text(now) .. ' ' .. ARGV[5]
  chain[1] = ARGV[5]
end
for token, at, sealed in string.gmatch(one[9], '(%x+) (%d+) (%x*)') do
  local isFresh = at + ARGV[6] > now
  if outcome == 'rotated' and isFresh and #kept < ${rememberedTokens} then
    kept[#kept + 1] = token .. ' ' .. at .. ' ' .. sealed
  elseif outcome == 'reused' then
    chain[#chain + 1] = sealed
    if token == ARGV[3] and isFresh then outcome = 'replayed' end
  end
end
one[4] = text(now)
if outcome == 'reused' then
  redis.call('DEL', KEYS[1])
  revoke(KEYS[2], KEYS[3], ARGV[9], ARGV[10], 's', ARGV[8])
  return { outcome, one }
end
local ends = math.min(now + ARGV[7], tonumber(one[5]))
redis.call('HSET', KEYS[1], 'used', text(now), 'ends', text(ends))
if outcome == 'rotated' then
  redis.call('HSET', KEYS[1], 'token', ARGV[4], 'tokens', table.concat(kept, '\\n'))
end
redis.call('PEXPIRE', KEYS[1], text(ends - now))
return { outcome, one, chain }`,
}

/** keys: state, revoked, principal, sessions. args: shift, principal, channel, keep, ids. Gives the ids that ended. */
export const endScript: RedisScript = {
  numberOfKeys: undefined,
  lua: `${clock}${revoke}
local ended = {}
for place = 4, #KEYS do
  local id = ARGV[place + 1]
  local one = redis.call('HMGET', KEYS[place], 'principal', 'ends')
  if one[1] == ARGV[2] and tonumber(one[2]) > now then
    redis.call('DEL', KEYS[place])
    revoke(KEYS[1], KEYS[2], ARGV[3], ARGV[4], 's', id)
    ended[#ended + 1] = id
  end
  if redis.call('EXISTS', KEYS[place]) == 0 then redis.call('ZREM', KEYS[3], id) end
end
return ended`,
}

/** keys: state, revoked. args: shift, principal, channel, keep. Gives the moment. */
export const outdateScript: RedisScript = {
  numberOfKeys: 2,
  lua: `${clock}${revoke}
revoke(KEYS[1], KEYS[2], ARGV[3], ARGV[4], 'p', ARGV[2])
return text(now)`,
}

/**
 * keys: state, revoked. args: shift, within, since, number, page: what followed that number, if it was given in the same
 * memory. Gives now, since, the last number that is in the answer, and the messages.
 *
 * A Redis that was emptied begins to remember anew. When only the revocations are gone, because memory was short and
 * the policy chose them, that is the same.
 */
export const revocationsScript: RedisScript = {
  numberOfKeys: 2,
  lua: `${clock}${remember}
local within = tonumber(ARGV[2])
local last = redis.call('HGET', KEYS[1], 'last')
if last and tonumber(last) > now - within and redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', KEYS[1]) end
remember(KEYS[1])
for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, 999)) do
  if tonumber(string.match(old, '^%a:(%d+)')) > now - 2 * within then break end
  redis.call('ZREM', KEYS[2], old)
end
local state = redis.call('HMGET', KEYS[1], 'since', 'number')
local from = state[1] == ARGV[3] and ARGV[4] or '0'
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
local messages = {}
for place = 1, #found, 2 do messages[#messages + 1] = found[place] end
local isWhole = #messages < tonumber(ARGV[5])
return { text(now), state[1], isWhole and (state[2] or '0') or found[#found], messages }`,
}
