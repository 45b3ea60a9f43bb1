# Congested intervals of one segment, by the share of its free speed, with hysteresis.

# The free speed: 85 percent of the minutes were slower (the 85th percentile is what traffic engineers call the
# operating speed).
function free_speed_of(s,    v, seen) {
  for (v = 0; v <= 400; v++) {
    seen += histogram[s, v]
    if (seen >= 0.85 * speeds[s]) return v + 0.5
  }
}

# The median of the speeds of 5 minutes; "" when there are none.
function calm_speed(s, m,    n, i, list) {
  for (i = m - 2; i <= m + 2; i++) if ((s, i) in speed) list[++n] = speed[s, i]
  return n ? median(list, n) : ""
}

function mean_occupancy(s, from, to,    n, i, sum) {
  for (i = from; i <= to; i++) if ((s, i) in occupancy) { n++; sum += occupancy[s, i] }
  return n ? sum / n : ""
}

# A congestion begins with the first of 3 minutes in a row under the share `congested` of the free speed with the
# occupancy of a filled road, ends with the last minute that is not over the share `recovered`, when 5 minutes are, and
# lasts `least_min`.
function find_congestions(s,    m, share, slow, over, open, from, last, lowest, seen) {
  free_speed[s] = free_speed_of(s)
  for (m = first_minute; m <= last_minute + 1; m++) {
    share = m <= last_minute ? calm_speed(s, m) : ""
    if (share == "") {
      if (open && (m - seen > 15 || m > last_minute)) { close_congestion(s, from, last, lowest); open = 0 }
      continue
    }
    seen = m
    share /= free_speed[s]
    slow = share < congested && mean_occupancy(s, m - 2, m + 2) >= filled ? slow + 1 : 0
    if (!open && slow == 3) {
      open = 1
      from = m - 2
      lowest = share
    }
    if (!open) continue
    if (share < lowest) lowest = share
    over = share > recovered ? over + 1 : 0
    if (!over) last = m
    if (over >= 5) { close_congestion(s, from, last, lowest); open = 0 }
  }
}

function close_congestion(s, from, to, lowest) {
  if (to - from < least_min) return
  congested_min[s] += to - from
  congestion_line[++congestions] = sprintf("{\"segment\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"minutes\":%d," \
    "\"lowest_speed\":%.0f}", s, time_text(60 * from), time_text(60 * to), to - from, lowest * free_speed[s])
}
