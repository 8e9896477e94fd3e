-- Whether he needs a code, and may have one: then an SMS is reserved.
local known = under('number:')
local first_time = #known == 0
local new = {}
for nth, hash in ipairs(ask.numbers) do
  local field = 'number:' .. hash
  if not his[field] then set(field, first_time and 0 or now .. ' ' .. ask.id) end
  -- New to this request, even when it comes twice.
  if his[field]:match(' (.*)$') == ask.id then new[#new + 1] = nth - 1 end
end
-- Who may write the directory shall not fill the memory here: the oldest go that are not his now.
local beyond = #under('number:') - MOST_NUMBERS
for _, old in ipairs(known) do
  local still = false
  for _, hash in ipairs(ask.numbers) do still = still or old.field == 'number:' .. hash end
  if beyond > 0 and not still then
    set(old.field, nil)
    beyond = beyond - 1
  end
end

local other_password = ask.password and his.password ~= ask.password
if ask.password then set('password', ask.password) end
if other_password or #new > 0 then forget_places() end
keep()

local function not_allowed()
  if not ask.allowed then return { is = 'prefix' } end
end

local function too_new()
  local since = tonumber((his['number:' .. ask.phone] or '0'):match('^%d+'))
  local wait = since > 0 and since + ask.new_phone - now or 0
  if wait > 0 then return { is = 'new_phone', wait = wait } end
end

local function remembered()
  local at, by = (ask.place and his['place:' .. ask.place] or ''):match('^(%d+) (.+)$')
  if at and ask.remember and at + ask.remember > now then return { is = 'remembered', by = by } end
end

return cjson.encode({
  answer = reserved() or locked() or not_allowed() or too_new() or remembered() or limited() or take(),
  new = #new > 0 and new or nil,
})
