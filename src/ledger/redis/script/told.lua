-- It is logged that these numbers are new: from now on they are known. When it comes twice, nothing
-- changes.
local known = under('number:')
local added = false
for _, hash in ipairs(ask.new) do
  local field = 'number:' .. hash
  if not his[field] then
    set(field, now)
    added = true
  end
end
if added then forget_places() end

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
keep()
return cjson.encode({ is = 'done' })
