-- Says that a member still has messages. KEYS: the stream. ARGV: group, member, and {id, deliveries or ''} each.
-- Returns 1 for each that it has, 0 for those that went to another one.
local answers = {}
for at = 3, #ARGV, 2 do
  local id, count = ARGV[at], ARGV[at + 1]
  local found = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  answers[#answers + 1] = #found
  if #found == 1 and count == '' then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'JUSTID')
  elseif #found == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'RETRYCOUNT', count, 'JUSTID')
  end
end
return answers
