-- Makes a group, if it is not there. KEYS: the stream. ARGV: the group, '1' for a passing one.
-- The first lasting group begins with the letters that wait for it, and any other one with what comes from now on.
local stream, group = KEYS[1], ARGV[1]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err and not string.find(groups.err, 'no such key', 1, true) then return groups end
local from, waiting = '$', false
for _, found in ipairs(groups) do
  local fields = {}
  for at = 1, #found, 2 do fields[found[at]] = found[at + 1] end
  if fields['name'] == group then return 0 end
  if fields['name'] == '||letters' and ARGV[2] ~= '1' then
    from, waiting = fields['last-delivered-id'], true
  end
end
redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM')
if waiting then redis.call('XGROUP', 'DESTROY', stream, '||letters') end
return 1
