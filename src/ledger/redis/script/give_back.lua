-- An SMS that was surely not sent.
redis.call('ZREM', sms, ask.id)
redis.call('ZREM', phone, ask.id)
if redis.call('ZREM', all, ask.id) == 1 then count(ask.at, -1, -ask.parts) end
return cjson.encode({ is = 'done' })
