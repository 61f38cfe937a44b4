-- Grants and gives back locks. KEYS: the lock, and the last token of the database.
-- ARGV: what to do, the token or the owner, and the milliseconds of a grant.
-- A lock is a text as Dapr has it, with its end; the owner is followed by `||` and the token.
-- Returns {1, token} of what was done, {1, token, milliseconds left or -1, owner} of what holds,
-- {0, milliseconds left or -1} of what somebody else holds, or {-1} where there is no grant.
local key, act = KEYS[1], ARGV[1]
local held = redis.call('GET', key)
local owner, token
if held then
  owner, token = string.match(held, '^(.*)||(%d+)$')
end

if act == 'acquire' then
  if held then return { 0, redis.call('PTTL', key) } end
  local clock = redis.call('TIME')
  local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  local fresh = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], last + 1))
  redis.call('SET', KEYS[2], fresh)
  redis.call('SET', key, ARGV[2] .. '||' .. fresh, 'PX', ARGV[3])
  return { 1, fresh }
end
if act == 'holder' then
  if not held then return { -1 } end
  return { 1, token or '0', redis.call('PTTL', key), owner or held }
end
if token ~= ARGV[2] then return { -1 } end
if act == 'renew' then
  redis.call('PEXPIRE', key, ARGV[3])
  return { 1, token }
end
redis.call('DEL', key)
return { 1, token }
