-- Does the operations on KEYS in order, or none of them. Each has six values in ARGV: "put" or "delete"; "always", "absent" or
-- "matches"; the etag of "matches"; the value; the content type; the time to live in milliseconds, or an empty text. The last
-- of ARGV is the version of an entry that is new. The answer has a version for each put, and false for each delete.
local versions, answers = {}, {}
local first = ARGV[#ARGV]

local function version(key)
  if versions[key] == nil then
    versions[key] = redis.call('HGET', key, 'version')
  end
  return versions[key]
end

for i, key in ipairs(KEYS) do
  local at = (i - 1) * 6
  local is_put, condition, etag = ARGV[at + 1] == 'put', ARGV[at + 2], ARGV[at + 3]
  local now = version(key)
  if (condition == 'absent' and now) or (condition == 'matches' and now ~= etag) then
    return redis.error_reply('CONFLICT ' .. i)
  end
  if not is_put then
    versions[key], answers[i] = false, false
  else
    versions[key] = now and string.format('%.0f', tonumber(now) + 1) or first
    answers[i] = versions[key]
  end
end

for i, key in ipairs(KEYS) do
  local at = (i - 1) * 6
  redis.call('DEL', key)
  if answers[i] then
    redis.call('HSET', key, 'data', ARGV[at + 4], 'version', answers[i], 'type', ARGV[at + 5])
    if ARGV[at + 6] ~= '' then
      redis.call('PEXPIRE', key, ARGV[at + 6])
    end
  end
end
return answers
