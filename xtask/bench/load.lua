-- What wrk sends: GET with tokens of a pool. Arguments: FILE FIRST COUNT. Tokens go round; `repeated` counts how often.
local requests = {}
local threads = {}
local at = 0
repeated = 0

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local first, count = tonumber(args[2]), tonumber(args[3])
  local line = 0
  for token in io.lines(args[1]) do
    line = line + 1
    if line > first + count then break end
    if line > first then
      requests[#requests + 1] = wrk.format("GET", nil, { Authorization = "Bearer " .. token })
    end
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
  local rounds = 0
  for _, thread in ipairs(threads) do
    rounds = rounds + thread:get("repeated")
  end
  print(string.format(
    '{"requests": %d, "micros": %d, "refused": %d, "broken": %d, "repeated": %d, "p50_micros": %d, "p99_micros": %d}',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, rounds,
    latency:percentile(50), latency:percentile(99)
  ))
end
