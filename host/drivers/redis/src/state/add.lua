-- Puts keys into the index that are rows of state. KEYS: the index. ARGV: the keys.
for _, key in ipairs(ARGV) do
  local found = redis.pcall('HMGET', key, 'data', 'version')
  if not found.err and found[1] and found[2] then redis.call('ZADD', KEYS[1], 0, key) end
end
return 1
