-- Lists rows of state in the order of their keys. KEYS: the index.
-- ARGV: the first and the last key as ZRANGEBYLEX takes them, how many, and bytes of entries that fit into the answer.
-- Returns the last key if there may be more, or '', and then {key, data, version, content type, end in milliseconds since 1970 or -1} each.
-- Keys whose rows have gone by themselves leave the index.
local index, from, to = KEYS[1], ARGV[1], ARGV[2]
local limit, budget = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function finish(key)
  local left = redis.call('PTTL', key)
  if left < 0 then return -1 end
  return now + left
end

local answers, bytes, looked = { '' }, 0, 0
while true do
  local names = redis.call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, math.min(limit - #answers + 2, 1000))
  if #names == 0 then return answers end
  for _, key in ipairs(names) do
    if #answers > limit or bytes >= budget or looked >= 20000 then
      answers[1] = string.sub(from, 2)
      return answers
    end
    looked = looked + 1
    local found = redis.pcall('HMGET', key, 'data', 'version', 'type')
    if found.err or not (found[1] or found[2]) then
      redis.call('ZREM', index, key)
    else
      local data = found[1] or ''
      bytes = bytes + #key + #data + #(found[3] or '')
      answers[#answers + 1] = { key, data, found[2] or '', found[3] or '', finish(key) }
    end
    from = '(' .. key
  end
end
