-- The try was right. What was counted after that is not this request's, should it come twice.
if not done() then
  clear_failures()
  mark_done()
  if ask.place and ask.remember then
    set('place:' .. ask.place, now .. ' ' .. ask.login)
    local places = under('place:')
    for nth, place in ipairs(places) do
      if place.at + MONTH <= now or nth <= #places - MOST_PLACES then set(place.field, nil) end
    end
  end
  keep()
end
return cjson.encode({ is = 'done' })
