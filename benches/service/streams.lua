-- wrk: posts the streams named in STREAMS (separated by colons) in turn, and asks for the format in ACCEPT.
local bodies = {}
for path in string.gmatch(os.getenv("STREAMS"), "[^:]+") do
  local file = assert(io.open(path, "rb"))
  bodies[#bodies + 1] = file:read("*a")
  file:close()
end
local headers = { ["accept"] = os.getenv("ACCEPT"), ["content-type"] = "application/octet-stream" }
local at = 0
function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/v1/decode", headers, bodies[at])
end
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\n{"pictures_per_second": %.2f, "failed": %d}\n',
    (summary.requests - errors.status) / summary.duration * 1e6, failed))
end
