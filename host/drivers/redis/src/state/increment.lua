-- Adds to the number in a row of state. KEYS: the counter of versions, the index of keys, the row.
-- ARGV: '1' where there is an index, what is added, and milliseconds to live of a new row or ''. Returns the sum as text, or {the data, which is no number}.
local key = KEYS[3]
local there = redis.call('HMGET', key, 'data', 'version')
local added = redis.pcall('HINCRBY', key, 'data', ARGV[2])
if type(added) == 'table' and added.err then return { there[1] or '' } end
local top = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, tonumber(there[2] or '0') or 0) + 1
local version = string.format('%.0f', top)
redis.call('HSET', key, 'version', version)
redis.call('SET', KEYS[1], version)
if ARGV[3] ~= '' and not there[1] and not there[2] then redis.call('PEXPIRE', key, ARGV[3]) end
if ARGV[1] == '1' then redis.call('ZADD', KEYS[2], 0, key) end
return redis.call('HGET', key, 'data')
