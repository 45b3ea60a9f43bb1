# A motorway as a chain of cells (cell transmission model: Daganzo 1994) with a triangular relation of flow and density.
# For make-input.awk only.

function build_road(    s) {
  segments = 8
  wave_speed = 20    # km/h, backwards
  capacity = 6300    # vehicles per hour on 3 lanes
  for (s = 1; s <= segments; s++) {
    density[s] = 5
    free_speed[s] = s <= 2 ? integer(110, 125) : s <= 5 ? integer(80, 105) : integer(95, 105)  # km/h
    jam_density[s] = capacity / free_speed[s] + capacity / wave_speed
  }
}

# Draws all that is random of the road, so that the record and the truth have the same.
function plan_days(days,    d, t, n) {
  # of the demand, over half hours
  for (t = 0; t < 1440 * days; t++) drift[t] = 0.97 * (t ? drift[t - 1] : 0) + 0.008 * gauss()
  for (d = 0; d < days; d++) {
    morning[d] = between(1300, 2500)
    evening[d] = between(1200, 2500)
    rain_from[d] = 1440 * d + integer(300, 1200)
    rain_to[d] = rain_from[d] + (uniform() < 0.5 ? integer(90, 260) : 0)
    for (t = 1440 * d + integer(380, 620); t < 1440 * d + 1190; t = incident_end[n] + integer(95, 190)) {
      n = ++incidents
      incident_begin[n] = t
      incident_end[n] = t + integer(15, 36)
      incident_segment[n] = integer(2, 7)
      incident_left[n] = between(0.25, 0.6)  # share of the capacity that is left
    }
  }
}

function bump(hour, centre, width) { return exp(-(hour - centre) * (hour - centre) / (2 * width * width)) }

# Vehicles per hour that come to the first segment.
function demand_at(minute,    d, hour) {
  d = int(minute / 1440)
  hour = minute % 1440 / 60
  return 350 + 3100 * (1 / (1 + exp(-2.2 * (hour - 5.8)))) * (1 / (1 + exp(1.1 * (hour - 20.5)))) + \
    morning[d] * bump(hour, 7.8, 0.6) + evening[d] * bump(hour, 17.2, 0.7)
}

function least(a, b) { return a < b ? a : b }

# One minute in three steps of 20 seconds; all segments are 1.1 km long. out_flow[s] and mean_density[s] are those of
# the minute.
function move(minute,    d, s, step, flow, limit, total, sum) {
  d = int(minute / 1440)
  slow = minute >= rain_from[d] && minute < rain_to[d] ? 0.86 : 1
  for (s = 1; s <= segments; s++) limit[s] = capacity * (slow < 1 ? 0.95 : 1)
  limit[6] *= density[6] > capacity / free_speed[6] * 1.1 ? 0.83 : 0.88  # the bottleneck, with capacity drop
  if (now_at < incidents && minute >= incident_end[now_at]) now_at++
  if (!now_at) now_at = 1
  if (minute >= incident_begin[now_at] && minute < incident_end[now_at]) {
    limit[incident_segment[now_at]] *= incident_left[now_at]
  }
  for (step = 1; step <= 3; step++) {
    flow[0] = least(demand_at(minute) * (1 + drift[minute]) + waiting * 180, take_of(1))
    waiting += (demand_at(minute) * (1 + drift[minute]) - flow[0]) / 180
    if (waiting < 0) waiting = 0
    for (s = 1; s <= segments; s++) {
      flow[s] = least(least(density[s] * free_speed[s], limit[s]), s < segments ? take_of(s + 1) : 1e9)
    }
    for (s = 1; s <= segments; s++) {
      sum[s] += density[s]
      density[s] += (flow[s - 1] - flow[s] + (s == 4 ? 0.07 * demand_at(minute) : 0)) / 180 / 1.1
      total[s] += flow[s]
    }
  }
  for (s = 1; s <= segments; s++) {
    out_flow[s] = total[s] / 3
    mean_density[s] = sum[s] / 3
  }
}

function take_of(s) { return least(capacity, wave_speed * (jam_density[s] - density[s])) }

# km/h: falls a little with the density, then as flow over density.
function speed_of(s,    share, v) {
  share = mean_density[s] * free_speed[s] / capacity
  v = free_speed[s] * (1 - 0.1 * (share < 1 ? share * share : 1))
  if (mean_density[s] > 8) v = least(v, out_flow[s] / mean_density[s] * (share < 1.1 ? 1.1 : 1))
  return v * slow
}

# Percent of the time that a vehicle is over the loop; vehicle and loop are 6.5 m long together.
function occupancy_of(k) { return k / 3 * 6.5 / 10 }
