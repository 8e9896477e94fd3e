-- Ends lock and count of a user. Returns the status before that.
local before = status()
clear_failures()
if request.forget then forget_origins() end
set_expiry()
return cjson.encode(before)
