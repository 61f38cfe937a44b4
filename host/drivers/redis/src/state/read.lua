-- Reads rows of state. KEYS: the rows. ARGV: bytes of entries that fit into the answer.
-- Returns for each: 0 where there is none, 1 where it does not fit any more, 2 where a row of another type is there,
-- or {data, version, content type, end in milliseconds since 1970 or -1}.
local budget, bytes = tonumber(ARGV[1]), 0
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function finish(key)
  local left = redis.call('PTTL', key)
  if left < 0 then return -1 end
  return now + left
end

local answers = {}
for at, key in ipairs(KEYS) do
  if bytes >= budget then
    answers[at] = 1
  else
    local found = redis.pcall('HMGET', key, 'data', 'version', 'type')
    if found.err then
      answers[at] = 2
    elseif not found[1] and not found[2] then
      answers[at] = 0
    else
      local data = found[1] or ''
      bytes = bytes + #data + #(found[3] or '')
      answers[at] = { data, found[2] or '', found[3] or '', finish(key) }
    end
  end
end
return answers
