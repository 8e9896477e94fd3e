-- What all questions share. A whole script runs as one step, and by the server's clock: the hosts'
-- clocks do not matter. People, phones and places come as keyed hashes.
local tally, all, suspects, names, person, sms, phone = unpack(KEYS)
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local HOUR, DAY = 3600000, 86400000
local MONTH = 30 * DAY -- Nothing is remembered for longer.
local YEAR = 400 * DAY -- Who was not here for so long is forgotten.
local MOST_PLACES = 64

-- The person: failures, guesses (wrong codes that the user was not shown yet), lock (its end), password, done (requests that count), number:… (the reference
-- set: when each was announced, 0 for the first ones), waiting:… (other numbers, likewise), reference
-- (whether there is such a set), place:… (when a login was earned there, which, and the host's seal), known where there
-- is nothing else.
local his = {}
if person then
  local flat = redis.call('HGETALL', person)
  for at = 1, #flat, 2 do his[flat[at]] = flat[at + 1] end
end

local function set(field, value)
  his[field] = value and tostring(value)
  if value then redis.call('HSET', person, field, value) else redis.call('HDEL', person, field) end
end

local function number(field) return tonumber(his[field] or 0) end

-- Fields that begin so, those of the earliest time first.
local function under(prefix)
  local found = {}
  for field, value in pairs(his) do
    if field:sub(1, #prefix) == prefix then
      local at, by = value:match('^(%d+) ?(.*)$')
      found[#found + 1] = { field = field, at = tonumber(at) or 0, by = by }
    end
  end
  table.sort(found, function(a, b)
    if a.at == b.at then return a.field < b.field end
    return a.at < b.at
  end)
  return found
end

-- When a number was announced. Nothing: it is new.
local function since(hash) return tonumber(his['number:' .. hash] or his['waiting:' .. hash]) end

-- How long a number still has to wait: a new one all the time.
local function wait_left(hash)
  local at = since(hash) or now
  return at > 0 and math.max(at + ask.new_phone - now, 0) or 0
end

-- The first numbers of a person are the first reference set, and have not to wait.
local function take_first()
  if his.reference then return end
  set('reference', 1)
  for _, hash in ipairs(ask.numbers) do
    if not since(hash) then set('number:' .. hash, 0) end
  end
end

-- Forgets numbers that this login does not see.
local function forget_unseen(prefix)
  local seen = {}
  for _, hash in ipairs(ask.numbers) do seen[prefix .. hash] = true end
  for _, old in ipairs(under(prefix)) do
    if not seen[old.field] then set(old.field, nil) end
  end
end

local function forget_places()
  for _, place in ipairs(under('place:')) do set(place.field, nil) end
end

-- Counts of wrong codes do not expire.
local function keep()
  if number('failures') > 0 then
    redis.call('PERSIST', person)
  else
    redis.call('PEXPIRE', person, YEAR)
  end
end

-- A request may come twice, when the first answer was lost on its way. The last four are known: 64
-- bytes, so that the hash stays compact (hash-max-listpack-value).
local function done() return (his.done or ''):find(ask.id, 1, true) ~= nil end

local function mark_done() set('done', ((his.done or '') .. ask.id):sub(-4 * #ask.id)) end

local function locked()
  if number('failures') >= ask.disable_after then return { is = 'locked' } end
  local left = number('lock') - now
  if left > 0 then return { is = 'locked', wait = left } end
end

local function clear_guesses(shown)
  local left = number('guesses') - shown
  set('guesses', left > 0 and left or nil)
end

local function clear_failures()
  set('failures', nil)
  set('lock', nil)
  redis.call('ZREM', suspects, ask.person)
  redis.call('HDEL', names, ask.person)
end

-- The limit that keeps him waiting longest. An SMS counts for exactly as long as the rule's span:
-- there is room again when the one leaves that is the rule's number of SMS back.
local function limited()
  local longest
  local function look(whose, sent, rules)
    for nth, rule in ipairs(rules) do
      local back = rule.most - 1
      local at = redis.call('ZRANGE', sent, back, back, 'REV', 'WITHSCORES')[2]
      local wait = at and at + rule.within - now or 0
      if wait > (longest and longest.wait or 0) then
        longest = { is = 'limited', wait = wait, whose = whose, rule = nth - 1 }
      end
    end
  end
  look('person', sms, ask.sms)
  look('phone', phone, ask.sms)
  look('all', all, ask.total)
  return longest
end

-- How long an SMS may be asked about: the longest span that any host has ever had a rule for.
local function longest_span()
  local known = tonumber(redis.call('HGET', tally, 'span') or DAY)
  local span = known
  for _, rules in ipairs({ ask.sms, ask.total }) do
    for _, rule in ipairs(rules) do span = math.max(span, rule.within) end
  end
  if span > known then redis.call('HSET', tally, 'span', span) end
  return span
end

-- The day's sums, by hours.
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

local function take()
  local span = longest_span()
  for _, sent in ipairs({ sms, phone, all }) do
    redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - span)
    redis.call('ZADD', sent, now, ask.id)
    redis.call('PEXPIRE', sent, span)
  end
  if not next(his) then
    set('known', 1)
    keep()
  end
  count(now, 1, ask.parts)
  redis.call('PEXPIRE', tally, span + DAY)
  return { is = 'reserved', at = now }
end

-- The same request once more is the same SMS.
local function reserved()
  local at = redis.call('ZSCORE', sms, ask.id)
  if at then return { is = 'reserved', at = tonumber(at) } end
end

-- One person, for an administrator. At most the last thousand SMS. An empty list is left out: in
-- cjson it would be an object.
local function standing()
  local sent, earned = {}, {}
  local newest = redis.call('ZRANGE', sms, 0, 999, 'REV', 'WITHSCORES')
  for at = #newest, 2, -2 do sent[#sent + 1] = math.max(now - newest[at], 0) end
  for nth, place in ipairs(under('place:')) do
    earned[nth] = { login = place.by:match('^%S*'), ago = math.max(now - place.at, 0) }
  end
  local left = number('lock') - now
  return {
    known = next(his) ~= nil,
    failures = number('failures'),
    locked = left > 0 and left or nil,
    sms = #sent > 0 and sent or nil,
    remembered = #earned > 0 and earned or nil,
    numbers = #under('number:') + #under('waiting:'),
  }
end
