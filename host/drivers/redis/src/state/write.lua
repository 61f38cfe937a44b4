-- Writes rows of state, all or each for itself, as Dapr lays them out: a hash with `data` and `version`.
-- KEYS: the counter of versions, the index of keys, and the rows.
-- ARGV: 'all' or 'each', '1' where there is an index, and eight for each operation:
--   'put' or 'delete', the number of the row's key, the condition ('', 'absent' or 'matches'), its etag,
--   value, milliseconds to live or '', content type or '', fence (20 digits) or ''.
-- Returns for 'all' the versions, or {number of the operation, reason, mark}; for 'each' a version or such a list for each.
local counter, index = KEYS[1], KEYS[2]
local indexed = ARGV[2] == '1'
local top = tonumber(redis.call('GET', counter) or '0') or 0
local rows = {}

local function row(at)
  local known = rows[at]
  if not known then
    local found = redis.pcall('HMGET', KEYS[at], 'version', 'fence')
    known = { version = found[1], fence = found[2], strange = found.err }
    known.there = known.version or redis.call('EXISTS', KEYS[at]) == 1
    top = math.max(top, tonumber(known.version or '0') or 0)
    rows[at] = known
  end
  return known
end

local function check(op)
  local seen = row(op.row)
  if seen.strange then return 'strange' end
  if op.condition == 'absent' and seen.there then return 'exists' end
  if op.condition == 'matches' and not seen.there then return 'missing' end
  if op.condition == 'matches' and seen.version ~= op.etag then return 'changed' end
  if op.kind == 'delete' then
    rows[op.row] = { there = false }
    return nil
  end
  if op.fence ~= '' and seen.fence and op.fence < seen.fence then return 'fence', seen.fence end
  top = top + 1
  op.version = string.format('%.0f', top)
  local fence = seen.fence
  if op.fence ~= '' then fence = op.fence end
  rows[op.row] = { there = true, version = op.version, fence = fence }
  return nil
end

local function apply(op)
  local key = KEYS[op.row]
  if op.kind == 'delete' then
    redis.call('DEL', key)
    if indexed then redis.call('ZREM', index, key) end
    return ''
  end
  redis.call('HSET', key, 'data', op.value, 'version', op.version)
  if op.type == '' then redis.call('HDEL', key, 'type') else redis.call('HSET', key, 'type', op.type) end
  if op.fence ~= '' then redis.call('HSET', key, 'fence', op.fence) end
  if op.ttl == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, op.ttl) end
  if indexed then redis.call('ZADD', index, 0, key) end
  return op.version
end

local ops = {}
for at = 3, #ARGV, 8 do
  ops[#ops + 1] = {
    kind = ARGV[at], row = tonumber(ARGV[at + 1]), condition = ARGV[at + 2], etag = ARGV[at + 3],
    value = ARGV[at + 4], ttl = ARGV[at + 5], type = ARGV[at + 6], fence = ARGV[at + 7],
  }
end

local answers = {}
for number, op in ipairs(ops) do
  local reason, mark = check(op)
  if reason and ARGV[1] == 'all' then return { number, reason, mark or '' } end
  if reason then
    answers[number] = { number, reason, mark or '' }
  elseif ARGV[1] == 'each' then
    answers[number] = apply(op)
  end
end
if ARGV[1] == 'all' then
  for number, op in ipairs(ops) do answers[number] = apply(op) end
end
redis.call('SET', counter, string.format('%.0f', top))
return answers
