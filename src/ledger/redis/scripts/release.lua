-- Releases an SMS that was certainly not sent.
redis.call('ZREM', sms, request.id)
redis.call('ZREM', phone, request.id)
if redis.call('ZREM', all, request.id) == 1 then count(request.at, -1, -request.parts) end
return cjson.encode({ is = 'done' })
