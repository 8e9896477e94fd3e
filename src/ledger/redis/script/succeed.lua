-- The try was right. What was counted after that is not this request's, should it come twice.
if not done() then
  clear_failures()
  clear_guesses(ask.tries)
  mark_done()
  -- This login's numbers, without those that still wait, are the reference set; every other number is
  -- forgotten. One that was never announced stays out, so that the next login announces it.
  take_first()
  forget_unseen('number:')
  forget_unseen('waiting:')
  for _, hash in ipairs(ask.numbers) do
    local at = since(hash)
    if at then
      local waits = wait_left(hash) > 0
      set('number:' .. hash, not waits and at or nil)
      set('waiting:' .. hash, waits and at or nil)
    end
  end
  -- Sealed by the host, for the time that its admit returned: nobody else can make a record.
  if ask.place and ask.remember and ask.seal then
    set('place:' .. ask.place, string.format('%d %s %s', ask.at, ask.login, ask.seal))
    local places = under('place:')
    for nth, place in ipairs(places) do
      if place.at + MONTH <= now or nth <= #places - MOST_PLACES then set(place.field, nil) end
    end
  end
  keep()
end
local reference = {}
for nth, hash in ipairs(ask.numbers) do
  if his['number:' .. hash] then reference[#reference + 1] = nth - 1 end
end
return cjson.encode({ guesses = number('guesses'), reference = #reference > 0 and reference or nil })
