-- Publishes messages, as many as there is room for. KEYS: the stream.
-- ARGV: how many the stream may hold, 'MAXLEN', 'MINID' or '' with its number, 'letter' or '', and five for each message:
--   data, metadata, content type, ordering key, attributes. Returns 1 for each that was taken, 0 where there was no room.
-- Letters wait for the first lasting group in a group of their own, `||letters`, which begins before the first of them.
local stream, limit, rule = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local answers = {}
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err and not string.find(groups.err, 'no such key', 1, true) then return groups end
local heard, lasting, waiting = false, false, false
for _, found in ipairs(groups) do
  if found[2] == '||letters' then
    waiting = true
  else
    heard = true
    lasting = lasting or string.sub(found[2], -9) ~= '||passing'
  end
end
-- Somebody else made a lasting group.
if lasting and waiting then redis.call('XGROUP', 'DESTROY', stream, '||letters') end
if ARGV[4] == 'letter' and not lasting then
  if not waiting then redis.call('XGROUP', 'CREATE', stream, '||letters', '$', 'MKSTREAM') end
  heard = true
end
local length, trimmed = 0, false
if heard then length = redis.call('XLEN', stream) end
for at = 5, #ARGV, 5 do
  local answer = 1
  -- A message that nobody waits for would stay for ever.
  if heard then
    if length >= limit and not trimmed then
      trimmed = true
      trim(stream)
      if rule ~= '' then redis.call('XTRIM', stream, rule, ARGV[3]) end
      length = redis.call('XLEN', stream)
    end
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
      if rule == '' then
        redis.call('XADD', stream, '*', unpack(fields))
        length = length + 1
      else
        redis.call('XADD', stream, rule, '~', ARGV[3], '*', unpack(fields))
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
