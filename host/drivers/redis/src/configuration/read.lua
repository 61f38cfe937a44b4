-- Reads items of configuration, all of one moment. KEYS: the hash of what Dapr's layout has no room for,
-- and the counter of versions.
-- ARGV: 'digest', 'all' or 'some', the most keys of a database, items and bytes of all of them, and the keys for 'some'.
-- An item is a text, `value||version`; where no version is written, one is made of the value.
-- Returns a digest, or {key, value, version, metadata} for each item, or 0 where there is more than that.
local mode, keys = ARGV[1], {}
local budgets = { keys = tonumber(ARGV[2]), items = tonumber(ARGV[3]), bytes = tonumber(ARGV[4]) }
if mode == 'some' then
  for at = 5, #ARGV do keys[#keys + 1] = ARGV[at] end
else
  if redis.call('DBSIZE') > budgets.keys then return 0 end
  local cursor, seen = '0', {}
  repeat
    local found = redis.call('SCAN', cursor, 'COUNT', 1000, 'TYPE', 'string')
    cursor = found[1]
    for _, key in ipairs(found[2]) do
      local own = string.sub(key, 1, 9) == '||wythe||' or string.sub(key, 1, 6) == 'lock||'
      if not own and not seen[key] then
        seen[key] = true
        keys[#keys + 1] = key
      end
    end
    if #keys > budgets.items then return 0 end
  until cursor == '0'
end
table.sort(keys)
local items, texts, bytes = {}, {}, 0
for _, key in ipairs(keys) do
  local text = redis.pcall('GET', key)
  if text and type(text) == 'string' then
    bytes = bytes + #key + #text
    if bytes > budgets.bytes then return 0 end
    local extra = redis.call('HGET', KEYS[1], key) or ''
    if mode == 'digest' then
      texts[#texts + 1] = #key .. ':' .. key .. #text .. ':' .. text .. #extra .. ':' .. extra
    else
      local value, version = string.match(text, '^(.*)||([^|]*)$')
      if not value then value, version = text, string.sub(redis.sha1hex(text), 1, 16) end
      items[#items + 1] = { key, value, version, extra }
    end
  end
end
if mode == 'digest' then
  -- With the count of changes, no version of what is written here comes back.
  return (redis.call('GET', KEYS[2]) or '0') .. '-' .. redis.sha1hex(table.concat(texts))
end
return items
