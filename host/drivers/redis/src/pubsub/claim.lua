-- Takes over messages whose member is gone, and removes members and passing groups that are.
-- KEYS: the stream. ARGV: group, member, milliseconds after which one is gone, how many, bytes that fit, and the
-- milliseconds after which what has nothing is removed. Returns {id, fields, attempts} each.
local stream, group, member = KEYS[1], ARGV[1], ARGV[2]
local answers, bytes = {}, 0
local old = redis.call('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', ARGV[4])
for _, one in ipairs(old) do
  if bytes >= tonumber(ARGV[5]) then break end
  local claimed = redis.call('XCLAIM', stream, group, member, ARGV[3], one[1])
  local entry = claimed[1]
  if entry then
    for _, text in ipairs(entry[2]) do bytes = bytes + #text end
    answers[#answers + 1] = { entry[1], entry[2], one[4] + 1 }
  else
    -- It was trimmed.
    redis.call('XACK', stream, group, one[1])
  end
end
for _, found in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local passing = string.sub(found[2], -9) == '||passing'
  if found[2] == group or passing then
    local alive = found[2] == group
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, found[2])) do
      local gone = consumer[6] > tonumber(ARGV[6]) and consumer[2] ~= member
      alive = alive or not gone
      if gone and consumer[4] == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, found[2], consumer[2]) end
    end
    if not alive then
      redis.call('XGROUP', 'DESTROY', stream, found[2])
      trim(stream)
    end
  end
end
return answers
