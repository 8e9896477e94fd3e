-- The system log has taken the lines that announce these numbers: they begin to wait. When it comes
-- twice, nothing changes.
local added = false
for _, hash in ipairs(ask.new) do
  if not since(hash) then
    set('waiting:' .. hash, now)
    added = true
  end
end
set('reference', 1)
-- Another number is another way in.
if added then forget_places() end
keep()
return cjson.encode({ is = 'done' })
