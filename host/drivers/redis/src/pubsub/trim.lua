-- Takes out of a stream what every group is done with.
local function id(text)
  local time, number = string.match(text, '^(%d+)-(%d+)$')
  return { tonumber(time), tonumber(number) }
end

local function below(one, other)
  return one[1] < other[1] or (one[1] == other[1] and one[2] < other[2])
end

local function trim(stream)
  local low
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local fields = {}
    for at = 1, #group, 2 do fields[group[at]] = group[at + 1] end
    local first
    if fields['pending'] > 0 then
      first = id(redis.call('XPENDING', stream, fields['name'])[2])
    else
      first = id(fields['last-delivered-id'])
      first[2] = first[2] + 1
    end
    if not low or below(first, low) then low = first end
  end
  if low then redis.call('XTRIM', stream, 'MINID', string.format('%.0f-%.0f', low[1], low[2])) end
end

