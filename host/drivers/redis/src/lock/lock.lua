-- Grants and gives back locks. KEYS: the lock, and the last token of the database.
-- ARGV: what to do, the token or the owner, and the milliseconds of a grant.
-- A lock is a text as Dapr has it, with its end; the owner is followed by `||` and the token.
-- Returns {1, token, end} of what holds, or {0, end or -1} of what somebody else holds, or {-1} where there is no grant.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local key, act = KEYS[1], ARGV[1]
local held = redis.call('GET', key)
local owner, token
if held then
  owner, token = string.match(held, '^(.*)||(%d+)$')
end

local function finish()
  local left = redis.call('PTTL', key)
  if left < 0 then return -1 end
  return now + left
end

if act == 'acquire' then
  if held then return { 0, finish() } end
  local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  local fresh = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], last + 1))
  redis.call('SET', KEYS[2], fresh)
  redis.call('SET', key, ARGV[2] .. '||' .. fresh, 'PX', ARGV[3])
  return { 1, fresh, now + ARGV[3] }
end
if act == 'holder' then
  if not held then return { -1 } end
  return { 1, token or '0', finish(), owner or held }
end
if token ~= ARGV[2] then return { -1 } end
if act == 'renew' then
  redis.call('PEXPIRE', key, ARGV[3])
  return { 1, token, now + ARGV[3] }
end
redis.call('DEL', key)
return { 1, token, now }
