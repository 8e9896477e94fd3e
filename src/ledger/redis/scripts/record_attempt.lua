-- Records an attempt as failed, before the code is compared.
local repeated = is_repeated()
if not repeated then
  local rejection = locked()
  if rejection then return cjson.encode(rejection) end
end

local failures = number('failures') + (repeated and 0 or 1)
local disabled = failures >= request.disable_after
local locks = disabled or failures >= request.failures
local lock
if failures >= request.failures then
  lock = math.min(request.lock * 2 ^ (failures - request.failures), DAY)
end
if not repeated then
  set('failures', failures)
  set('guesses', number('guesses') + 1)
  mark_done()
  if locks then forget_origins() end
  if lock then set('lock', now + lock) end
  set_expiry()
  redis.call('ZADD', suspects, failures, request.person)
  redis.call('HSET', names, request.person, number('lock') .. ' ' .. request.name)
end
if not locks then return cjson.encode({ is = 'counted' }) end
return cjson.encode({ is = 'last', wait = not disabled and lock or nil })
