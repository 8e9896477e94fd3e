-- Records that the system log has taken the lines which announce these numbers: their wait begins. A
-- repeated request changes nothing.
local added = false
for _, hash in ipairs(request.new) do
  if not announced_at(hash) then
    set('waiting:' .. hash, now)
    added = true
  end
end
set('reference', 1)
-- A new number ends all remembered logins.
if added then forget_origins() end
set_expiry()
return cjson.encode({ is = 'done' })
