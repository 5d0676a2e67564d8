-- /etc/apache2/rollcall.lua: asks Rollcall whether a request may pass, and tells the app whose it is.
local http, ltn12 = require "socket.http", require "ltn12"
local rollcall = "http://127.0.0.1:8080/auth/forward"
http.TIMEOUT = 10

-- What Rollcall must know of the client to answer it, besides its cookies.
local asks = {
  "User-Agent", "Accept", "X-Requested-With", "Sec-Fetch-Mode",
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

-- What a client says of itself, and what is said here, by Apache or by Rollcall. Many programs read X_Forwarded_For and
-- X.Forwarded.For as X-Forwarded-For: names with any other character than these go away.
local function claims(name)
  name = name:lower()
  return name:find("[^a-z0-9-]") or name == "forwarded" or name == "x-real-ip" or name:find("^x%-forwarded%-")
    or name:find("^x%-original%-")
end

-- The cookies that are Rollcall's own, of which no app gets hold, and those of the app. One of the app's may be in letters that
-- Rollcall could not read, nor then any other beside it.
local function parted(cookies)
  local own, others = {}, {}
  -- Of several lines Apache makes one, with a comma between.
  cookies = (cookies or ""):gsub(",%s*(_*%a*%-?rollcall[-=])", "; %1")
  for pair in cookies:gmatch("[^;]+") do
    pair = pair:match("^%s*(.-)%s*$")
    local name = pair:gsub("^__Host%-", ""):gsub("^__Secure%-", ""):match("^[^=]*")
    if name ~= "rollcall" and name:sub(1, 9) ~= "rollcall-" then
      others[#others + 1] = pair
    elseif not pair:find("[^ -~]") then
      own[#own + 1] = pair
    end
  end
  return #own > 0 and table.concat(own, "; ") or nil, #others > 0 and table.concat(others, "; ") or nil
end

-- Takes away what a client says of itself, and says how it came.
local function scheme_of(r)
  for name in pairs(r:headers_in_table()) do
    if claims(name) then r.headers_in[name] = nil end
  end
  local scheme = r.is_https and "https" or "http"
  r.headers_in["X-Forwarded-Proto"] = scheme
  return scheme
end

-- At Rollcall's own address. Who may pass to an app is asked by the sites of apps, and by nobody through this one.
function itself(r)
  local path = r.uri:gsub("/+", "/"):gsub("/$", "")
  if path == "/auth/forward" or path == "/auth/nginx" then return 404 end
  scheme_of(r)
  return apache2.OK
end

-- At that of an app.
function check(r)
  local scheme = scheme_of(r)
  local own, others = parted(r.headers_in["Cookie"])
  if r.uri:sub(1, 11) == "/.rollcall/" then
    r.headers_in["Cookie"] = own
    return apache2.OK
  end
  local sent = {
    ["Cookie"] = own,
    ["X-Forwarded-For"] = r.useragent_ip,
    ["X-Forwarded-Proto"] = scheme,
    -- The site has said it itself, in the place of what the client sent.
    ["X-Forwarded-Host"] = r.headers_in["Host"],
    ["X-Forwarded-Method"] = r.method,
    ["X-Forwarded-Uri"] = r.unparsed_uri:gsub("[^!-~]", function(c) return ("%%%02X"):format(c:byte()) end),
  }
  for _, name in ipairs(asks) do sent[name] = r.headers_in[name] end
  if r.headers_in["Upgrade"] then sent["Sec-Fetch-Mode"] = "websocket" end

  local body = {}
  local answered, status, headers =
    http.request { url = rollcall, headers = sent, redirect = false, sink = ltn12.sink.table(body) }
  if answered and status == 200 then
    for _, name in ipairs(identity) do
      r.headers_in[name] = headers[name:lower()]
    end
    r.headers_in["Cookie"] = others
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
