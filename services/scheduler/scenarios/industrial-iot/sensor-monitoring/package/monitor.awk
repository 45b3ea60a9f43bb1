# Watches sensors sample by sample and finds excursions. Needs csv, time, order, excursions, summary.
# For each sensor, in the order of its samples:
#   calm    the median of the last 5 samples: single wild samples vanish (Tukey's running median)
#   fast    calm, exponentially smoothed over about a second (EWMA: Roberts 1959)
#   base    calm, smoothed over `base_s` seconds: follows drift, five times slower during a departure
#   around  the mean distance of calm from base, times 1.2533: for normal noise the standard deviation
#   slope   least squares line through calm over the last `slope_s` seconds
# Rules, each with hysteresis (see rules_of): limit (fast beyond the limits of its kind), rate (slope), shift (fast away
# from base by more than `shift` spreads). The first `learn_s` seconds of each sensor only set base and spread.

BEGIN {
  FS = ","
  slope_s = 4
  base_s = 90
  spread_s = 300
  settle_s = 120
  high["vibration"] = vibration_high
  high["temperature"] = temperature_high
  high["pressure"] = pressure_high
  low["pressure"] = pressure_low
  rate["vibration"] = vibration_rate
  rate["temperature"] = temperature_rate
  rate["pressure"] = pressure_rate
}

NR == 1 { csv_header("timestamp sensor value"); next }

csv_row() {
  t = csv_time("timestamp")
  s = csv_name("sensor")
  x = csv_number("value")
  if (x == "") { empty++; next }
  if (s in last_t && t <= last_t[s]) { late++; next }
  if (!(s in last_t)) meet(s, t)
  step = t - last_t[s]
  note_sample(s, t, x, step)
  calm = calm_of(s, x)
  if (!learned[s]) learn(s, t, calm, step)
  else watch(s, t, calm, step)
  last_t[s] = t
}

END {
  csv_end()
  for (i = 1; i <= sensors; i++) {
    if (open[id[i], "limit"]) close_excursion(id[i], "limit")
    if (open[id[i], "departure"]) close_excursion(id[i], "departure")
  }
  write_result(result)
}

function meet(s, t) {
  id[++sensors] = s
  kind[s] = s
  sub(/[-_.0-9].*$/, "", kind[s])  # vibration-1 is of the kind vibration
  first_t[s] = last_t[s] = t
  learned[s] = 0
  queue_head[s] = 1
}

# Median of the last 5 samples: sorted as they are taken from the ring.
function calm_of(s, x,    n, i, j, list) {
  ring[s, ++taken[s] % 5] = x
  n = taken[s] < 5 ? taken[s] : 5
  for (i = 1; i <= n; i++) {
    x = ring[s, (taken[s] - i + 1) % 5]
    for (j = i - 1; j > 0 && list[j] > x; j--) list[j + 1] = list[j]
    list[j + 1] = x
  }
  return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function learn(s, t, calm, step,    n, list, i, centre) {
  if (step > 0) steps[s, ++steps_n[s]] = step
  lesson[s, n = ++lessons[s]] = calm
  if (t - first_t[s] < learn_s || n < 10) return
  for (i = 1; i <= n; i++) { list[i] = lesson[s, i]; delete lesson[s, i] }
  base[s] = fast[s] = centre = median(list, n)
  around[s] = spread(list, n, centre)
  resolution[s] = least_step(list, n)
  for (i = 1; i <= steps_n[s]; i++) { list[i] = steps[s, i]; delete steps[s, i] }
  usual_step[s] = median(list, steps_n[s])
  learned[s] = 1
}

function least_step(list, n,    i, least) {  # of the sorted list: what the sensor can tell apart
  for (i = 2; i <= n; i++) {
    if (list[i] > list[i - 1] && (!least || list[i] - list[i - 1] < least)) least = list[i] - list[i - 1]
  }
  return least > 0 ? least : 1e-9
}

function watch(s, t, calm, step,    away, share) {
  if (step > 5 * usual_step[s] && step > 5) queue_head[s] = queue_tail[s] + 1  # no slope across a gap
  fast[s] += (calm - fast[s]) * (1 - exp(-step / (usual_step[s] > 0.5 ? 1.5 * usual_step[s] : 1)))
  rules_of(s, slope_of(s, t, calm))
  follow(s, "limit", t, on[s, "limit"])
  follow(s, "departure", t, on[s, "rate"] || on[s, "shift"])
  settle(s, t)
  share = open[s, "departure"] ? 0.2 : 1
  base[s] += (calm - base[s]) * (1 - exp(-step * share / base_s))
  if (open[s, "departure"]) return
  away = magnitude(calm - base[s]) * 1.2533
  around[s] += (away - around[s]) * (1 - exp(-step / spread_s))
}

# The slope of the least squares line through the last slope_s seconds, per second.
function slope_of(s, t, calm,    i, n, x, sum_x, sum_y, sum_xx, sum_xy) {
  queue_t[s, ++queue_tail[s]] = t
  queue_v[s, queue_tail[s]] = calm
  while (queue_t[s, queue_head[s]] < t - slope_s - 0.001) {
    delete queue_t[s, queue_head[s]]
    delete queue_v[s, queue_head[s]++]
  }
  n = queue_tail[s] - queue_head[s] + 1
  if (n < 5 || queue_t[s, queue_head[s]] > t - 0.6 * slope_s) return 0  # too little after a gap
  for (i = queue_head[s]; i <= queue_tail[s]; i++) {
    x = queue_t[s, i] - t
    sum_x += x
    sum_y += queue_v[s, i] - calm
    sum_xx += x * x
    sum_xy += x * (queue_v[s, i] - calm)
  }
  return (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x)
}
