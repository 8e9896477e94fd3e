-- Counts a try as failed, before it is compared.
local again = done()
if not again then
  local refusal = locked()
  if refusal then return cjson.encode(refusal) end
end

local failures = number('failures') + (again and 0 or 1)
local disabled = failures >= ask.disable_after
local last = disabled or failures >= ask.failures
local lock
if failures >= ask.failures then lock = math.min(ask.lock * 2 ^ (failures - ask.failures), DAY) end
if not again then
  set('failures', failures)
  set('guesses', number('guesses') + 1)
  mark_done()
  if last then forget_places() end
  if lock then set('lock', now + lock) end
  keep()
  redis.call('ZADD', suspects, failures, ask.person)
  redis.call('HSET', names, ask.person, number('lock') .. ' ' .. ask.name)
end
if not last then return cjson.encode({ is = 'counted' }) end
return cjson.encode({ is = 'last', wait = not disabled and lock or nil })
