-- Subtracts the guesses that were shown to the user.
if not is_repeated() then
  subtract_guesses(request.guesses)
  mark_done()
  set_expiry()
end
return cjson.encode({ is = 'done' })
