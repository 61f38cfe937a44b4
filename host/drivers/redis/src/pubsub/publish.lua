-- Publishes messages, as many as there is room for. KEYS: the stream.
-- ARGV: how many the stream may hold, 'MAXLEN', 'MINID' or '' with its number, and five for each message:
--   data, metadata, content type, ordering key, attributes. Returns 1 for each that was taken, 0 where there was no room.
local stream, limit = KEYS[1], tonumber(ARGV[1])
local answers = {}
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err and not string.find(groups.err, 'no such key', 1, true) then return groups end
local unheard = groups.err or #groups == 0
local length = 0
if not unheard then length = redis.call('XLEN', stream) end
for at = 4, #ARGV, 5 do
  local answer = 1
  -- A message that nobody waits for would stay for ever.
  if not unheard then
    if length >= limit then
      answer = 0
    else
      local fields = { 'data', ARGV[at], 'metadata', ARGV[at + 1], 'content-type', ARGV[at + 2] }
      for number, name in ipairs({ 'ordering-key', 'attributes' }) do
        if ARGV[at + 2 + number] ~= '' then
          fields[#fields + 1] = name
          fields[#fields + 1] = ARGV[at + 2 + number]
        end
      end
      if ARGV[2] == '' then
        redis.call('XADD', stream, '*', unpack(fields))
        length = length + 1
      else
        redis.call('XADD', stream, ARGV[2], '~', ARGV[3], '*', unpack(fields))
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
