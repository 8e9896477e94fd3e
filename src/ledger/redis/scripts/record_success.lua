-- Records that the code was correct. A repeated request does not revert what was counted after the first.
if not is_repeated() then
  clear_failures()
  subtract_guesses(request.tries)
  mark_done()
  -- The numbers of this login that do not wait become the reference set; every other number is deleted.
  -- A number that was never announced is left out, so that the next login announces it.
  init_reference()
  forget_unseen('number:')
  forget_unseen('waiting:')
  for _, hash in ipairs(request.numbers) do
    local at = announced_at(hash)
    if at then
      local waits = wait_left(hash) > 0
      set('number:' .. hash, not waits and at or nil)
      set('waiting:' .. hash, waits and at or nil)
    end
  end
  -- The host has sealed the record for the time that admit returned: without its key no record can be made.
  if request.place and request.remember and request.seal then
    set('place:' .. request.place, string.format('%d %s %s', request.at, request.login, request.seal))
    local origins = with_prefix('place:')
    for index, origin in ipairs(origins) do
      if origin.at + MAX_REMEMBER <= now or index <= #origins - MAX_ORIGINS then
        set(origin.field, nil)
      end
    end
  end
  set_expiry()
end
local reference = {}
for index, hash in ipairs(request.numbers) do
  if fields['number:' .. hash] then reference[#reference + 1] = index - 1 end
end
return cjson.encode({ guesses = number('guesses'), reference = #reference > 0 and reference or nil })
