return cjson.encode(status())
