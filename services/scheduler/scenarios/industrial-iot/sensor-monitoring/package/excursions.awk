# The rules, and the excursions that they open and close. A sensor has two tracks, each with at most one excursion open:
# "limit" (beyond a limit of its kind) and "departure" (too fast, or away from its own base).

function scale_of(s) { return around[s] > resolution[s] ? around[s] : resolution[s] }

# Sets on[s, RULE]. A rule that is on stays on until the value is back by `hysteresis`: a share of the bound for rate
# and shift, a number of spreads inside the limit for limit.
function rules_of(s, slope,    back, k) {
  k = kind[s]
  back = on[s, "limit"] ? hysteresis * scale_of(s) : 0
  on[s, "limit"] = k in high && fast[s] > high[k] - back || k in low && fast[s] < low[k] + back
  back = on[s, "rate"] ? 1 - hysteresis : 1
  on[s, "rate"] = k in rate && magnitude(slope) > rate[k] * back
  back = on[s, "shift"] ? 1 - hysteresis : 1
  on[s, "shift"] = magnitude(fast[s] - base[s]) > shift * scale_of(s) * back
}

# Opens an excursion when a rule of the track is on, closes it `hold` seconds after it went off.
function follow(s, track, t, active) {
  if (open[s, track] && t - active_t[s, track] > hold) close_excursion(s, track)  # also when a gap lay between
  if (!active) return
  if (!open[s, track]) {
    open[s, track] = 1
    opened_t[s, track] = t
    peak[s, track] = fast[s]
  }
  active_t[s, track] = t
  if (magnitude(fast[s] - base[s]) > magnitude(peak[s, track] - base[s])) peak[s, track] = fast[s]
}

# A departure that stays is the new base.
function settle(s, t) {
  if (!open[s, "departure"] || t - opened_t[s, "departure"] < settle_s) return
  base[s] = fast[s]
  on[s, "shift"] = 0
  close_excursion(s, "departure")
}

function close_excursion(s, track) {
  open[s, track] = 0
  if (track == "limit" && active_t[s, track] - opened_t[s, track] < least_s) return
  found++
  by_sensor[s]++
  line[found] = sprintf("{\"sensor\":\"%s\",\"kind\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\"," \
    "\"peak\":%.6g,\"base\":%.6g}", s, track, time_text(opened_t[s, track]), time_text(active_t[s, track]), \
    peak[s, track], base[s])
}
