-- Writes items of configuration, all or none. KEYS: the hash of metadata, the counter of versions.
-- ARGV: 'set' with {key, value, metadata} for each, or 'delete' with the keys. Returns '', or a key that is no item's.
local step = 1
if ARGV[1] == 'set' then step = 3 end
for at = 2, #ARGV, step do
  local kind = redis.call('TYPE', ARGV[at]).ok
  if kind ~= 'none' and kind ~= 'string' then return ARGV[at] end
end
for at = 2, #ARGV, step do
  local key = ARGV[at]
  if ARGV[1] == 'delete' then
    if redis.call('DEL', key) == 1 then redis.call('INCR', KEYS[2]) end
    redis.call('HDEL', KEYS[1], key)
  else
    redis.call('SET', key, ARGV[at + 1] .. '||' .. redis.call('INCR', KEYS[2]))
    if ARGV[at + 2] == '' then redis.call('HDEL', KEYS[1], key) else redis.call('HSET', KEYS[1], key, ARGV[at + 2]) end
  end
end
return ''
