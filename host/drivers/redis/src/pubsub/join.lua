-- Makes a member of a group, and the group, if it is not there. KEYS: the stream.
-- ARGV: the group, '1' for a passing one, the member, and where a new group begins: '$' for what comes from now on, or '0'.
-- The first lasting group begins with the letters that wait for it.
local stream, group, from = KEYS[1], ARGV[1], ARGV[4]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err and not string.find(groups.err, 'no such key', 1, true) then return groups end
local there, letters = false, nil
for _, found in ipairs(groups) do
  local fields = {}
  for at = 1, #found, 2 do fields[found[at]] = found[at + 1] end
  there = there or fields['name'] == group
  if fields['name'] == '||letters' and ARGV[2] ~= '1' then letters = fields['last-delivered-id'] end
end
if not there then
  -- What begins with all that is there has the letters, too.
  if letters and from == '$' then from = letters end
  redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM')
  if letters then redis.call('XGROUP', 'DESTROY', stream, '||letters') end
end
redis.call('XGROUP', 'CREATECONSUMER', stream, group, ARGV[3])
return 1
