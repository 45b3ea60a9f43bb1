# Makes ten-minute values of twelve air quality stations of a city, or (truth = 1) the planted exceedances and broken
# sensors. Needs time, random, air, aqi. The air is the same in both: all that is random of it is drawn first (air.awk).

function print_samples(step,    h, s, q, t, line) {
  t = start + 600 * step
  for (s = 1; s <= stations; s++) {
    if (step < silent_until[s] || uniform() < 0.003) continue
    if (uniform() < 0.0007) silent_until[s] = step + integer(3, 20)
    line = time_text(t) "," name_of(s)
    for (q = 1; q <= 6; q++) line = line "," (uniform() < 0.001 ? "" : sprintf("%.1f", reading(s, q, step)))
    print line
  }
}

# What the sensor shows of what is there: with noise, and its fault.
function reading(s, q, step,    x, age) {
  x = truth_at(s, q, step / 6)
  if (q <= 4) x = x * exp(0.07 * gauss()) + 0.3 * gauss()
  else x += (q == 5 ? 0.15 : 0.8) * gauss()
  if (s in fault_step && fault_quantity[s] == q && step >= fault_step[s]) {
    age = (step - fault_step[s]) / (last_step - fault_step[s] + 1)
    if (fault_kind[s] == "stuck") {
      if (!(s in stuck_at)) stuck_at[s] = at_least_zero(x, q)
      return stuck_at[s]
    }
    if (fault_kind[s] == "step") age = 1
    x = q <= 4 ? x * exp(age * fault_size[s]) : x + age * fault_size[s]
  }
  return at_least_zero(x, q)
}

function at_least_zero(x, q) { return q == 5 ? x : q == 6 && x > 100 ? 100 : x < 0.2 ? 0.2 : x }

function print_truth(    s, h, i, p, c, index_now, from, top) {
  print "kind,station,quantity,begin,end,marginal"
  for (s = 1; s <= stations; s++) {
    for (h = 0; h < hours; h++) for (p = 1; p <= 2; p++) clean[p, h] = truth_at(s, p, h + 0.5)
    from = -1
    for (h = 0; h <= hours; h++) {
      index_now = h < hours ? greater(index_of(1, h), index_of(2, h)) : 0
      if (index_now > 93) {
        if (from < 0) { from = h; top = 0; clear = 0 }
        if (index_now > top) top = index_now
        if (index_now > 112) clear++
      } else if (from >= 0) {
        print_event("exceedance", s, "aqi", 3600 * from, 3600 * h, clear < 3 || pm_fault(s, h))
        from = -1
      }
    }
  }
  for (s = 1; s <= stations; s++) {
    if (s in fault_step) print_event("broken", s, quantity[fault_quantity[s]], 600 * fault_step[s], 600 * last_step, 0)
  }
}

function pm_fault(s, h) { return (s in fault_step) && fault_quantity[s] <= 2 && 6 * h >= fault_step[s] }

function index_of(p, h,    i, c) {
  for (i = 0; i < 12; i++) c[i] = h - i >= 0 ? clean[p, h - i] : ""
  c[0] = nowcast(c)
  return c[0] == "" ? 0 : aqi(quantity[p], c[0])
}

function greater(a, b) { return a > b ? a : b }

function name_of(s) { return "station-" sprintf("%02d", s) }

function print_event(kind, s, what, from, to, marginal) {
  print kind "," name_of(s) "," what "," time_text(start + from) "," time_text(start + to) "," marginal
}

BEGIN {
  random_seed(seed)
  start = time_seconds("2026-01-12T00:00:00")
  stations = 12
  last_step = int(count / stations) - 1
  hours = int((last_step + 1) / 6)
  split("pm25 pm10 no2 o3 temperature humidity", quantity, " ")
  plan_air()
  plan_faults()
  if (truth) { print_truth(); exit }
  print "timestamp,station,pm25,pm10,no2,o3,temperature,humidity"
  for (step = 0; step <= last_step; step++) print_samples(step)
}
