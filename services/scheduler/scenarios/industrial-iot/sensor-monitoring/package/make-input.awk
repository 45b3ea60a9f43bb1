# Makes the samples of six sensors of one machine, or (truth = 1) the planted excursions. Needs time, random.
# Each sensor has its base, a slow wander, the load cycle of the machine (one for all), noise, single wild samples,
# lost samples, and planted departures: plateaus of some spreads beside the base with short ramps (level) and jumps that
# decay at once (rate). The "-2" sensors wander across their alarm limit.

function add_sensor(name, rate, base, noise, wander, decimals) {
  id[++sensors] = name
  each[sensors] = 10 / rate  # a sample each so many steps of 0.1 s
  base_of[sensors] = base
  noise_of[sensors] = noise
  wander_of[sensors] = wander
  form[sensors] = "%." decimals "f"
}

function plan(s,    t, n) {
  period[s] = between(600, 800)
  phase[s] = between(0, 6.28)
  phase2[s] = between(0, 6.28)
  load_gain[s] = between(0.7, 1.1) * noise_of[s]
  lag[s] = between(0, 12)
  for (t = between(120, 200); t < duration - 60; t = event_end[s, n] + between(110, 200)) {
    n = ++events[s]
    event_kind[s, n] = uniform() < 0.6 || each[s] == 10 ? "level" : "rate"
    event_begin[s, n] = t
    event_size[s, n] = (uniform() < 0.5 ? -1 : 1) * between(4.5, 9) * 1.25 * noise_of[s]
    if (event_kind[s, n] == "rate") event_size[s, n] = magnitude(event_size[s, n]) * 1.2
    event_ramp[s, n] = between(1, 3)
    event_decay[s, n] = between(2, 4)
    event_end[s, n] = event_kind[s, n] == "level" ? t + between(12, 45) : t + 3 * event_decay[s, n]
    gap_begin[s, n] = event_end[s, n] + between(20, 60)
    gap_end[s, n] = gap_begin[s, n] + (uniform() < 0.4 ? between(3, 20) : 0)
  }
  next_event[s] = 1
}

function magnitude(x) { return x < 0 ? -x : x }

# The slow part: what the sensor would show without load, noise and planted events.
function slow(s, t) {
  return base_of[s] + wander_of[s] * sin(6.2832 * t / period[s] + phase[s]) + \
    0.15 * wander_of[s] * sin(15.1 * t / period[s] + phase2[s])
}

function load_at(s, t) { return sin(6.2832 * (t - lag[s]) / 95) + 0.3 * sin(6.2832 * (t - lag[s]) / 31) }

# What the event that is under way adds.
function disturbance(s, t,    n, since, left) {
  while (next_event[s] < events[s] && t > gap_end[s, next_event[s]]) next_event[s]++
  n = next_event[s]
  if (t < event_begin[s, n] || t > event_end[s, n]) return 0
  since = t - event_begin[s, n]
  left = event_end[s, n] - t
  if (event_kind[s, n] == "rate") {
    return event_size[s, n] * (since < 0.5 ? since / 0.5 : exp(-(since - 0.5) / event_decay[s, n]))
  }
  if (left < since) since = left
  return event_size[s, n] * (since < event_ramp[s, n] ? since / event_ramp[s, n] : 1)
}

function lost(s, t,    n) {
  n = next_event[s]
  return t > gap_begin[s, n] && t < gap_end[s, n] || uniform() < 0.0008
}

function print_samples(    step, s, t, v, left) {
  print "timestamp,sensor,value"
  left = count
  for (step = 0; left > 0; step++) {
    t = step / 10
    for (s = 1; s <= sensors && left > 0; s++) {
      if (step % each[s]) continue
      left--
      v = slow(s, t) + load_gain[s] * load_at(s, t) + disturbance(s, t) + noise_of[s] * gauss()
      if (uniform() < 0.001) v += (uniform() < 0.5 ? -1 : 1) * between(8, 25) * noise_of[s]
      if (!lost(s, t)) printf "%s,%s," form[s] "\n", time_text(start + t), id[s], v
    }
  }
}

# The limit excursions: from where the signal without noise passes the limit to where it is back by half a spread and
# stays so for 5 seconds. One that passes the limit by less than a spread, nearly passes it, or is short, is marginal.
function print_limit_events(s, limit,    step, t, v, unit, from, last, top) {
  unit = 1.25 * noise_of[s]  # a spread: noise and load
  next_event[s] = 1
  from = -1
  for (step = 0; step < 10 * duration; step += each[s]) {
    t = step / 10
    v = slow(s, t) + load_gain[s] * load_at(s, t) + disturbance(s, t)
    if (from < 0 && v > limit - 0.6 * unit) { from = t; top = v }
    if (from < 0) continue
    if (v > top) top = v
    if (v > limit - (top > limit ? 0.5 : 0.6) * unit) last = t
    if (t - last > 5) { print_limit_event(s, from, last, top - limit); from = -1 }
  }
  if (from >= 0) print_limit_event(s, from, last, top - limit)
}

function print_limit_event(s, from, to, above) {
  print_event(s, "limit", from, to, above < 1.25 * noise_of[s] || to - from < 8 || from < 90 || to > duration - 8)
}

function print_event(s, kind, from, to, marginal) {
  print id[s] "," kind "," time_text(start + int(from * 10) / 10) "," time_text(start + int(to * 10) / 10) "," marginal
}

BEGIN {
  random_seed(seed)
  start = time_seconds("2026-03-02T06:00:00")
  add_sensor("vibration-1", 10, 2.8, 0.22, 0.25, 3)   # mm/s
  add_sensor("vibration-2", 5, 6.45, 0.22, 0.8, 3)
  add_sensor("pressure-1", 2, 6.1, 0.045, 0.06, 3)    # bar
  add_sensor("pressure-2", 2, 7.88, 0.045, 0.16, 3)
  add_sensor("temperature-1", 1, 62, 0.3, 0.6, 2)     # degrees Celsius
  add_sensor("temperature-2", 1, 79, 0.3, 1.1, 2)
  duration = count / 21
  for (s = 1; s <= sensors; s++) plan(s)
  if (!truth) { print_samples(); exit }
  print "sensor,kind,begin,end,marginal"
  for (s = 1; s <= sensors; s++) {
    for (n = 1; n <= events[s]; n++) {
      print_event(s, "departure", event_begin[s, n], event_end[s, n], event_end[s, n] > duration)
    }
  }
  print_limit_events(2, 7.1)
  print_limit_events(4, 8)
  print_limit_events(6, 80)
}
