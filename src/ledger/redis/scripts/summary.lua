-- Returns a summary of the ledger: the sums of the day, and at most the 500 users with the most failures.
local messages, parts = 0, 0
local flat = redis.call('HGETALL', tally)
for index = 1, #flat, 2 do
  local hour, suffix = flat[index]:match('^(%d+)(.*)$')
  if hour and tonumber(hour) > math.floor(now / HOUR) - 25 then
    if suffix == '' then messages = messages + flat[index + 1] else parts = parts + flat[index + 1] end
  end
end

local failed = {}
local worst = redis.call('ZRANGE', suspects, 0, 499, 'REV', 'WITHSCORES')
for index = 1, #worst, 2 do
  local record = redis.call('HGET', names, worst[index]) or ''
  local lock, name = record:match('^(%d+) (.*)$')
  local left = tonumber(lock or 0) - now
  failed[#failed + 1] = {
    name = name or '',
    failures = tonumber(worst[index + 1]),
    locked = left > 0 and left or nil,
  }
end
return cjson.encode({
  sms = math.max(messages, 0),
  parts = math.max(parts, 0),
  suspects = #failed > 0 and failed or nil,
})
