-- Ends lock and count. Says how it was before.
local before = standing()
clear_failures()
if ask.forget then forget_places() end
keep()
return cjson.encode(before)
