-- Decides whether the login needs a code and may have one. If so, reserves an SMS.
init_reference()
-- A waiting number that the directory no longer has starts its wait again when it returns.
forget_unseen('waiting:')
local new = {}
for index, hash in ipairs(request.numbers) do
  -- A number stays new until mark_announced.
  if not announced_at(hash) then new[#new + 1] = index - 1 end
end

local other_password = request.password and fields.password ~= request.password
if request.password then set('password', request.password) end
if other_password or #new > 0 then forget_origins() end
set_expiry()

local function not_allowed()
  if not request.allowed then return { is = 'prefix' } end
end

local function too_new()
  local wait = wait_left(request.phone)
  if wait > 0 then return { is = 'new_phone', wait = wait } end
end

local function remembered()
  local record = request.place and fields['place:' .. request.place] or ''
  local at, by, seal = record:match('^(%d+) (%S+) (%S+)$')
  at = tonumber(at)
  if not at or not request.remember then return end
  -- A record from the future is ignored: the clock may have been set back, or another server with an
  -- earlier clock may have taken over.
  if at <= now and at + request.remember > now then
    return { is = 'remembered', by = by, at = at, seal = seal }
  end
end

return cjson.encode({
  answer = reserved() or locked() or not_allowed() or too_new() or remembered() or limited() or reserve_sms(),
  new = #new > 0 and new or nil,
})
