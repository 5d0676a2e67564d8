-- /etc/haproxy/rollcall.lua: asks Rollcall whether a request may pass, and tells the app whose it is.
local rollcall = "http://127.0.0.1:8080/auth/forward"

-- What Rollcall must know of the client to answer it, besides its cookies.
local asks = {
  "user-agent", "accept", "x-requested-with", "sec-fetch-mode",
  "sec-ch-ua", "sec-ch-ua-full-version-list", "sec-ch-ua-mobile", "sec-ch-ua-model", "sec-ch-ua-platform",
  "sec-ch-ua-platform-version",
  "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-method", "x-forwarded-uri",
}

-- What the app believes, and what therefore nobody but Rollcall may say. Their other spellings have gone already.
local identity = {
  "remote-user", "remote-groups", "remote-name", "remote-email", "remote-session",
  "x-auth-request-user", "x-auth-request-preferred-username", "x-auth-request-email", "x-auth-request-groups",
  "x-forwarded-user", "x-forwarded-preferred-username", "x-forwarded-email", "x-forwarded-groups",
  "x-webauth-user", "x-webauth-name", "x-webauth-email", "x-webauth-groups",
}

-- The cookies that are Rollcall's own, of which no app gets hold, and those of the app. One of the app's may be in letters that
-- Rollcall could not read, nor then any other beside it.
local function parted(came)
  local own, others = {}, {}
  for i = 0, came["cookie"] and #came["cookie"] or -1 do
    for pair in came["cookie"][i]:gmatch("[^;]+") do
      pair = pair:match("^%s*(.-)%s*$")
      local name = pair:gsub("^__Host%-", ""):gsub("^__Secure%-", ""):match("^[^=]*")
      if name ~= "rollcall" and name:sub(1, 9) ~= "rollcall-" then
        others[#others + 1] = pair
      elseif not pair:find("[^ -~]") then
        own[#own + 1] = pair
      end
    end
  end
  return table.concat(own, "; "), table.concat(others, "; ")
end

local function set_cookies(txn, cookies)
  txn.http:req_del_header("cookie")
  if cookies ~= "" then txn.http:req_set_header("cookie", cookies) end
end

-- On the way of a session to an app: what goes to Rollcall itself.
core.register_action("rollcall-way", { "http-req" }, function(txn)
  set_cookies(txn, (parted(txn.http:req_get_headers())))
end)

core.register_action("rollcall", { "http-req" }, function(txn)
  local came, sent = txn.http:req_get_headers(), {}
  for _, name in ipairs(asks) do sent[name] = came[name] and { came[name][0] } end
  if came["upgrade"] then sent["sec-fetch-mode"] = { "websocket" } end
  local own, others = parted(came)
  if own ~= "" then sent["cookie"] = { own } end

  local said = core.httpclient():get { url = rollcall, headers = sent, timeout = 10000 }
  if said and said.status == 200 then
    for _, name in ipairs(identity) do
      txn.http:req_del_header(name)
      if said.headers[name] then txn.http:req_set_header(name, said.headers[name][0]) end
    end
    set_cookies(txn, others)
    -- A client may name headers in Connection that must not go on to the app; ours must.
    txn.http:req_del_header("connection")
    if came["upgrade"] then txn.http:req_set_header("connection", "upgrade") end
    return
  end

  local reply = txn:reply { status = 503 }
  local handed_on = { [302] = true, [303] = true, [401] = true, [403] = true }
  if said and handed_on[said.status] then
    reply:set_status(said.status)
    for _, name in ipairs { "location", "content-type", "content-security-policy", "cache-control", "www-authenticate" } do
      if said.headers[name] then reply:add_header(name, said.headers[name][0]) end
    end
    reply:set_body(said.body)
  end
  txn:done(reply)
end)
