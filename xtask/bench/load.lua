-- What wrk sends: requests with tokens of a pool. Arguments: FILE FIRST COUNT KIND, and the AUTHORIZATION of a client
-- that introspects. Tokens go round; `repeated` counts how often, `inactive` what an introspection did not confirm.
local requests = {}
local threads = {}
local at = 0
repeated = 0
inactive = 0

local function confirm(status, headers, body)
  if status == 200 and not body:find('"active":true', 1, true) then inactive = inactive + 1 end
end

local kinds = {
  bearer = function(token)
    return wrk.format("GET", nil, { Authorization = "Bearer " .. token })
  end,
  cookie = function(cookies)
    return wrk.format("GET", nil, { Cookie = cookies })
  end,
  introspection = function(token, authorization)
    response = confirm
    local headers = { Authorization = authorization, ["Content-Type"] = "application/x-www-form-urlencoded" }
    return wrk.format("POST", nil, headers, "token=" .. token)
  end,
}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local first, count, format = tonumber(args[2]), tonumber(args[3]), kinds[args[4]]
  local line = 0
  for token in io.lines(args[1]) do
    line = line + 1
    if line > first + count then break end
    if line > first then requests[#requests + 1] = format(token, args[5]) end
  end
end

function request()
  at = at + 1
  if at > #requests then
    at = 1
    repeated = repeated + 1
  end
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local rounds, refused = 0, errors.status
  for _, thread in ipairs(threads) do
    rounds = rounds + thread:get("repeated")
    refused = refused + thread:get("inactive")
  end
  print(string.format(
    '{"requests": %d, "micros": %d, "refused": %d, "broken": %d, "repeated": %d, "p50_micros": %d, "p99_micros": %d}',
    summary.requests, summary.duration, refused,
    errors.connect + errors.read + errors.write + errors.timeout, rounds,
    latency:percentile(50), latency:percentile(99)
  ))
end
