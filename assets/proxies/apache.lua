-- /etc/apache2/rollcall.lua: asks Rollcall whether a request may pass, and tells the app whose it is.
local http, ltn12 = require "socket.http", require "ltn12"
local rollcall = "http://127.0.0.1:8080/auth/forward"
http.TIMEOUT = 10

-- What Rollcall must know of the client to answer it.
local asks = {
  "Cookie", "User-Agent", "Accept", "X-Requested-With", "Sec-Fetch-Mode",
  "Sec-CH-UA", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "Sec-CH-UA-Platform",
  "Sec-CH-UA-Platform-Version",
}

-- What the app believes, and what therefore nobody but Rollcall may say.
local identity = {
  "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "Remote-Session",
  "X-Auth-Request-User", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Email", "X-Auth-Request-Groups",
  "X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Forwarded-Email", "X-Forwarded-Groups",
  "X-Webauth-User", "X-Webauth-Name", "X-Webauth-Email", "X-Webauth-Groups",
}

-- Takes a header away however its words are joined: many programs read Remote_User as Remote-User.
local function forget(r, name, from)
  local dash = name:find("-", from, true)
  if not dash then
    r.headers_in[name] = nil
    return
  end
  forget(r, name, dash + 1)
  forget(r, name:sub(1, dash - 1) .. "_" .. name:sub(dash + 1), dash + 1)
end

-- The cookies that are the app's: all but Rollcall's own, of which no app gets hold.
local function others(cookies)
  local kept = {}
  for pair in cookies:gmatch("[^;]+") do
    pair = pair:match("^%s*(.-)%s*$")
    local name = pair:gsub("^__Host%-", ""):gsub("^__Secure%-", ""):match("^[^=]*")
    if name ~= "rollcall" and name:sub(1, 9) ~= "rollcall-" then kept[#kept + 1] = pair end
  end
  return #kept > 0 and table.concat(kept, "; ") or nil
end

function check(r)
  if r.uri:sub(1, 11) == "/.rollcall/" then return apache2.OK end
  local sent = {
    ["X-Forwarded-For"] = r.useragent_ip,
    ["X-Forwarded-Proto"] = r.is_https and "https" or "http",
    -- The site has said it itself, in the place of what the client sent.
    ["X-Forwarded-Host"] = r.headers_in["Host"],
    ["X-Forwarded-Method"] = r.method,
    ["X-Forwarded-Uri"] = r.unparsed_uri,
  }
  for _, name in ipairs(asks) do sent[name] = r.headers_in[name] end
  if r.headers_in["Upgrade"] then sent["Sec-Fetch-Mode"] = "websocket" end

  local body = {}
  local answered, status, headers =
    http.request { url = rollcall, headers = sent, redirect = false, sink = ltn12.sink.table(body) }
  if answered and status == 200 then
    for _, name in ipairs(identity) do
      forget(r, name, 1)
      if headers[name:lower()] then r.headers_in[name] = headers[name:lower()] end
    end
    r.headers_in["Cookie"] = others(r.headers_in["Cookie"] or "")
    -- A client may name headers in Connection that must not go on to the app; ours must.
    local connection = (r.headers_in["Connection"] or ""):lower()
    r.headers_in["Connection"] = r.headers_in["Upgrade"] and "Upgrade" or connection:find("close") and "close" or nil
    return apache2.OK
  end

  local handed_on = { [302] = true, [303] = true, [401] = true, [403] = true }
  if not answered or not handed_on[status] then return 503 end
  for _, name in ipairs { "Location", "Content-Security-Policy", "Cache-Control", "WWW-Authenticate" } do
    if headers[name:lower()] then r.headers_out[name] = headers[name:lower()] end
  end
  r.status = status
  r.content_type = headers["content-type"] or "text/plain"
  r:write(table.concat(body))
  return apache2.DONE
end
