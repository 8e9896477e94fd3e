-- Whether he needs a code, and may have one: then an SMS is reserved.
take_first()
-- Should they return, their wait begins anew.
forget_unseen('waiting:')
local new = {}
for nth, hash in ipairs(ask.numbers) do
  -- It stays new until it is told that this was logged.
  if not since(hash) then new[#new + 1] = nth - 1 end
end

local other_password = ask.password and his.password ~= ask.password
if ask.password then set('password', ask.password) end
if other_password or #new > 0 then forget_places() end
keep()

local function not_allowed()
  if not ask.allowed then return { is = 'prefix' } end
end

local function too_new()
  local wait = wait_left(ask.phone)
  if wait > 0 then return { is = 'new_phone', wait = wait } end
end

local function remembered()
  local at, by, seal = (ask.place and his['place:' .. ask.place] or ''):match('^(%d+) (%S+) (%S+)$')
  at = tonumber(at)
  if not at or not ask.remember then return end
  -- One of a time that is still to come was never earned: the clock may have been set back, or
  -- another server have taken over.
  if at <= now and at + ask.remember > now then
    return { is = 'remembered', by = by, at = at, seal = seal }
  end
end

return cjson.encode({
  answer = reserved() or locked() or not_allowed() or too_new() or remembered() or limited() or take(),
  new = #new > 0 and new or nil,
})
