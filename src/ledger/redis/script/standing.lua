return cjson.encode(standing())
