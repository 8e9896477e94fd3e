-- The part that all scripts share. The server runs a script as one atomic step, by its own clock, so the
-- clocks of the hosts do not matter. Users, phones and origins are keyed hashes.
local tally, all, suspects, names, person, sms, phone = unpack(KEYS)
local request = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local HOUR, DAY = 3600000, 86400000
local MAX_REMEMBER = 30 * DAY -- No login is remembered for longer.
local MAX_UNUSED = 400 * DAY -- A user without a login for this long is deleted.
local MAX_ORIGINS = 64

-- The user's fields: failures, guesses (wrong codes that were not shown to the user yet), lock (its end),
-- password, done (ids of the last requests), number:… (the reference set: when each number was announced,
-- 0 for the first ones), waiting:… (other announced numbers, likewise), reference (set if there is a
-- reference set), place:… (per origin: when a login was granted, its id, and the host's seal), known (set
-- if there is no other field).
local fields = {}
if person then
  local flat = redis.call('HGETALL', person)
  for index = 1, #flat, 2 do fields[flat[index]] = flat[index + 1] end
end

local function set(field, value)
  fields[field] = value and tostring(value)
  if value then redis.call('HSET', person, field, value) else redis.call('HDEL', person, field) end
end

local function number(field) return tonumber(fields[field] or 0) end

-- Returns the fields with this prefix, sorted by time.
local function with_prefix(prefix)
  local found = {}
  for field, value in pairs(fields) do
    if field:sub(1, #prefix) == prefix then
      local at, rest = value:match('^(%d+) ?(.*)$')
      found[#found + 1] = { field = field, at = tonumber(at) or 0, rest = rest }
    end
  end
  table.sort(found, function(a, b)
    if a.at == b.at then return a.field < b.field end
    return a.at < b.at
  end)
  return found
end

-- Returns when a number was announced, or nil for a new one.
local function announced_at(hash)
  return tonumber(fields['number:' .. hash] or fields['waiting:' .. hash])
end

-- Returns how long a number still has to wait; the whole time for a new one.
local function wait_left(hash)
  local at = announced_at(hash) or now
  return at > 0 and math.max(at + request.new_phone - now, 0) or 0
end

-- The first numbers of a user become the first reference set, without a wait.
local function init_reference()
  if fields.reference then return end
  set('reference', 1)
  for _, hash in ipairs(request.numbers) do
    if not announced_at(hash) then set('number:' .. hash, 0) end
  end
end

-- Deletes numbers that this login does not have.
local function forget_unseen(prefix)
  local seen = {}
  for _, hash in ipairs(request.numbers) do seen[prefix .. hash] = true end
  for _, old in ipairs(with_prefix(prefix)) do
    if not seen[old.field] then set(old.field, nil) end
  end
end

local function forget_origins()
  for _, origin in ipairs(with_prefix('place:')) do set(origin.field, nil) end
end

-- A count of wrong codes does not expire.
local function set_expiry()
  if number('failures') > 0 then
    redis.call('PERSIST', person)
  else
    redis.call('PEXPIRE', person, MAX_UNUSED)
  end
end

-- A request is sent again if its reply was lost. The last four ids are kept: 64 bytes, so that the hash
-- keeps its compact encoding (hash-max-listpack-value).
local function is_repeated() return (fields.done or ''):find(request.id, 1, true) ~= nil end

local function mark_done() set('done', ((fields.done or '') .. request.id):sub(-4 * #request.id)) end

local function locked()
  if number('failures') >= request.disable_after then return { is = 'locked' } end
  local left = number('lock') - now
  if left > 0 then return { is = 'locked', wait = left } end
end

local function subtract_guesses(shown)
  local left = number('guesses') - shown
  set('guesses', left > 0 and left or nil)
end

local function clear_failures()
  set('failures', nil)
  set('lock', nil)
  redis.call('ZREM', suspects, request.person)
  redis.call('HDEL', names, request.person)
end

-- Returns the limit with the longest wait. An SMS counts for exactly the rule's time span: the next one is
-- allowed when the n-th newest SMS leaves the span, where n is the rule's number of SMS.
local function limited()
  local longest
  local function check(scope, sent, rules)
    for index, rule in ipairs(rules) do
      local back = rule.most - 1
      local at = redis.call('ZRANGE', sent, back, back, 'REV', 'WITHSCORES')[2]
      local wait = at and at + rule.within - now or 0
      if wait > (longest and longest.wait or 0) then
        longest = { is = 'limited', wait = wait, whose = scope, rule = index - 1 }
      end
    end
  end
  check('person', sms, request.sms)
  check('phone', phone, request.sms)
  check('all', all, request.total)
  return longest
end

-- Returns how long an SMS has to be kept: the longest time span of any rule of any host.
local function longest_span()
  local known = tonumber(redis.call('HGET', tally, 'span') or DAY)
  local span = known
  for _, rules in ipairs({ request.sms, request.total }) do
    for _, rule in ipairs(rules) do span = math.max(span, rule.within) end
  end
  if span > known then redis.call('HSET', tally, 'span', span) end
  return span
end

-- Adds to the sums of the day, which are kept by the hour.
local function count(at, messages, parts)
  local hour = math.floor(at / HOUR)
  local field = string.format('%d', hour)
  if redis.call('HINCRBY', tally, field, messages) == 1 then
    for _, old in ipairs(redis.call('HKEYS', tally)) do
      local past = tonumber(old:match('^%d+'))
      if past and past <= hour - 25 then redis.call('HDEL', tally, old) end
    end
  end
  redis.call('HINCRBY', tally, field .. ':parts', parts)
end

local function reserve_sms()
  local span = longest_span()
  for _, sent in ipairs({ sms, phone, all }) do
    redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - span)
    redis.call('ZADD', sent, now, request.id)
    redis.call('PEXPIRE', sent, span)
  end
  if not next(fields) then
    set('known', 1)
    set_expiry()
  end
  count(now, 1, request.parts)
  redis.call('PEXPIRE', tally, span + DAY)
  return { is = 'reserved', at = now }
end

-- Returns the SMS that the same request has reserved before.
local function reserved()
  local at = redis.call('ZSCORE', sms, request.id)
  if at then return { is = 'reserved', at = tonumber(at) } end
end

-- Returns the status of the user, with at most a thousand SMS. An empty list is left out, because cjson
-- would encode it as an object.
local function status()
  local sent, remembered = {}, {}
  local newest = redis.call('ZRANGE', sms, 0, 999, 'REV', 'WITHSCORES')
  for index = #newest, 2, -2 do sent[#sent + 1] = math.max(now - newest[index], 0) end
  for index, origin in ipairs(with_prefix('place:')) do
    remembered[index] = { login = origin.rest:match('^%S*'), ago = math.max(now - origin.at, 0) }
  end
  local left = number('lock') - now
  return {
    known = next(fields) ~= nil,
    failures = number('failures'),
    locked = left > 0 and left or nil,
    sms = #sent > 0 and sent or nil,
    remembered = #remembered > 0 and remembered or nil,
    numbers = #with_prefix('number:') + #with_prefix('waiting:'),
  }
end
