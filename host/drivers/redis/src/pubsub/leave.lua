-- Ends a member: what it has goes to whoever looks next. KEYS: the stream. ARGV: group, member, '1' for a passing group.
local stream, group, member = KEYS[1], ARGV[1], ARGV[2]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return 0 end
local there = false
for _, found in ipairs(groups) do there = there or found[2] == group end
if not there then return 0 end
while true do
  local pending = redis.call('XPENDING', stream, group, '-', '+', 500, member)
  if #pending == 0 then break end
  local ids = {}
  for _, one in ipairs(pending) do ids[#ids + 1] = one[1] end
  local command = { 'XCLAIM', stream, group, '||returned', 0 }
  for _, one in ipairs(ids) do command[#command + 1] = one end
  for _, word in ipairs({ 'IDLE', '4000000000', 'JUSTID' }) do command[#command + 1] = word end
  local moved = {}
  for _, id in ipairs(redis.call(unpack(command))) do moved[id] = true end
  -- Those that were trimmed do not move, and would hide the ones after them.
  for _, id in ipairs(ids) do
    if not moved[id] then redis.call('XACK', stream, group, id) end
  end
end
redis.call('XGROUP', 'DELCONSUMER', stream, group, member)
if ARGV[3] == '1' then
  local others = 0
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    if consumer[2] ~= '||returned' then others = others + 1 end
  end
  if others == 0 then
    redis.call('XGROUP', 'DESTROY', stream, group)
    trim(stream)
  end
end
return 1
