-- The user was shown so many guesses.
if not done() then
  clear_guesses(ask.guesses)
  mark_done()
  keep()
end
return cjson.encode({ is = 'done' })
