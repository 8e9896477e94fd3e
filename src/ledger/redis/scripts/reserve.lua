-- Reserves a further SMS of the same login.
return cjson.encode(reserved() or locked() or limited() or reserve_sms())
