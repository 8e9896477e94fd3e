-- The whole ledger: the day's sums, and at most the worst five hundred suspects.
local messages, parts = 0, 0
local flat = redis.call('HGETALL', tally)
for at = 1, #flat, 2 do
  local hour, what = flat[at]:match('^(%d+)(.*)$')
  if hour and tonumber(hour) > math.floor(now / HOUR) - 25 then
    if what == '' then messages = messages + flat[at + 1] else parts = parts + flat[at + 1] end
  end
end

local found = {}
local worst = redis.call('ZRANGE', suspects, 0, 499, 'REV', 'WITHSCORES')
for at = 1, #worst, 2 do
  local kept = redis.call('HGET', names, worst[at]) or ''
  local lock, name = kept:match('^(%d+) (.*)$')
  local left = tonumber(lock or 0) - now
  found[#found + 1] = {
    name = name or '',
    failures = tonumber(worst[at + 1]),
    locked = left > 0 and left or nil,
  }
end
return cjson.encode({
  sms = math.max(messages, 0),
  parts = math.max(parts, 0),
  suspects = #found > 0 and found or nil,
})
