-- Acknowledges messages. KEYS: the stream. ARGV: the group, and the ids. Returns 1 for each that was with a member, else 0.
local answers = {}
for at = 2, #ARGV do answers[at - 1] = redis.call('XACK', KEYS[1], ARGV[1], ARGV[at]) end
trim(KEYS[1])
return answers
