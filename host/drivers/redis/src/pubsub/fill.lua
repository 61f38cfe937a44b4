-- Reads what is new, without waiting. KEYS: the stream. ARGV: group, member, how many, and bytes that fit.
-- Returns {id, fields} each.
local answers, bytes = {}, 0
while #answers < tonumber(ARGV[3]) and bytes < tonumber(ARGV[4]) do
  local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not found then break end
  local entry = found[1][2][1]
  for _, text in ipairs(entry[2]) do bytes = bytes + #text end
  answers[#answers + 1] = entry
end
return answers
