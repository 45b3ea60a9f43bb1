# Makes a minute by minute record of eight loop detectors along a motorway, or (truth = 1) its congestions and
# incidents. Needs time, random, road. Demand has a morning and an evening peak, other each day; segments differ in
# their free speed; segment 6 is a bottleneck; incidents close lanes for a while; rain slows all traffic a little (that
# is no congestion). Detectors count with noise and fall silent at times.

function print_minute(minute, s,    v, k, cars, speed, occupancy) {
  k = mean_density[s]
  cars = out_flow[s] / 60
  cars += sqrt(cars > 0 ? cars : 0) * 0.8 * gauss()
  cars = cars < 0 ? 0 : int(cars + 0.5)
  v = speed_of(s)
  speed = v + gauss() * (3 + 9 / sqrt(cars + 1))
  if (uniform() < 0.004) speed *= between(0.35, 0.7)  # a lorry, a mistake
  if (speed < 3) speed = 3 + uniform()
  occupancy = occupancy_of(k) * (1 + 0.1 * gauss()) + 0.5 * gauss()
  if (occupancy < 0 || cars == 0) occupancy = 0
  if (occupancy > 95) occupancy = 95
  if (uniform() < 0.00025) silent_until[s] = minute + integer(5, 25)
  if (minute < silent_until[s] || uniform() < 0.002) return
  printf "%s,A9-%d,%.1f,%d,%.1f,%s\n", time_text(start + 60 * minute), s, 12 + s * 1.1, cars * 60, occupancy, \
    (cars ? sprintf("%.0f", speed) : "")
}

# Congestion of a segment: from where its speed, without noise, falls under 65 percent of free speed to where it is back
# over 75 percent for 5 minutes. A short or a shallow one is marginal.
function note_congestion(minute, s,    share) {
  share = speed_of(s) / free_speed[s]
  if (!(s in jam_from) && share < 0.72) { jam_from[s] = minute; jam_least[s] = share }
  if (!(s in jam_from)) return
  if (share < jam_least[s]) jam_least[s] = share
  if (share < 0.65 && !(s in jam_deep)) jam_deep[s] = minute
  if (share < 0.75) jam_last[s] = minute
  if (minute - jam_last[s] >= 5 || minute == minutes - 1) end_congestion(s)
}

function end_congestion(s,    from) {
  from = s in jam_deep ? jam_deep[s] : jam_from[s]
  print_event("congestion", s, from, jam_last[s], jam_least[s] > 0.62 || jam_last[s] - from < 11)
  delete jam_from[s]
  delete jam_deep[s]
}

# An incident is marginal when its segment or the next was congested before, when it hardly makes a queue, or ends with
# the record.
function note_incident(minute,    s, step) {
  if (now_incident > incidents) return
  s = incident_segment[now_incident]
  if (minute == incident_begin[now_incident] - 1) {
    hidden = speed_of(s) < 0.8 * free_speed[s] || speed_of(s + 1) < 0.8 * free_speed[s + 1]
    queued = 0
  }
  if (minute < incident_begin[now_incident]) return
  step = occupancy_of(mean_density[s]) - occupancy_of(mean_density[s + 1])
  if (step > 10) queued++
  if (minute < incident_end[now_incident] && minute < minutes - 1) return
  print_event("incident", s, incident_begin[now_incident], minute, hidden || queued < 7 || minute == minutes - 1)
  now_incident++
}

function print_event(kind, s, from, to, marginal) {
  print kind ",A9-" s "," time_text(start + 60 * from) "," time_text(start + 60 * to) "," marginal
}

BEGIN {
  random_seed(seed)
  start = time_seconds("2026-03-02T00:00:00")  # a Monday
  minutes = int(count / 8)
  build_road()
  plan_days(int((minutes + 1439) / 1440))
  now_incident = 1
  print truth ? "kind,segment,begin,end,marginal" : "timestamp,segment,km,flow,occupancy,speed"
  for (minute = 0; minute < minutes; minute++) {
    move(minute)
    for (s = 1; s <= segments; s++) {
      if (truth) note_congestion(minute, s)
      else print_minute(minute, s)
    }
    if (truth) note_incident(minute)
  }
}
