# Makes the temperature of a machine every 5 minutes, or (truth = 1) the planted anomalies. Needs time, random.
# Around a daily cycle (weaker at weekends) and slow changes over weeks there is noise with a memory, white noise, lost
# samples, and planted anomalies: spike (1 to 3 samples), shift (a level for hours), stuck (one value for hours), drift
# (a ramp over a day, then back at once).

function plan(    t, n, kind) {
  for (t = 86400 * between(1, 2); t < step_s * count - 50 * 3600; t = end[n] + 3600 * between(26, 64)) {
    n = ++events
    kind = integer(1, 4)
    begin[n] = step_s * int(t / step_s)
    kind_of[n] = kind == 1 ? "spike" : kind == 2 ? "shift" : kind == 3 ? "stuck" : "drift"
    if (kind == 1) size[n] = between(5, 12)
    if (kind == 2) size[n] = between(3.2, 7)
    if (kind == 4) size[n] = between(5.5, 10)
    if (uniform() < 0.5) size[n] = -size[n]
    if (kind == 1) end[n] = begin[n] + step_s * integer(0, 2)
    if (kind == 2) end[n] = begin[n] + step_s * integer(24, 130)
    if (kind == 3) end[n] = begin[n] + step_s * integer(18, 100)
    if (kind == 4) end[n] = begin[n] + step_s * integer(110, 380)
  }
}

function disturbance(t) {
  if (kind_of[at] == "spike" || kind_of[at] == "shift") return size[at]
  return kind_of[at] == "drift" ? size[at] * (t - begin[at]) / (end[at] - begin[at]) : 0
}

function usual(t,    of_day, day) {
  of_day = 6.283185 * t / 86400
  day = int(t / 86400) % 7
  return 68 + (day >= 5 ? 3.3 : 4) * sin(of_day - 2.1) + 1.2 * sin(2 * of_day + 0.7) + 0.5 * sin(3 * of_day) \
    + 2 * sin(6.283185 * t / (86400 * 19) + phase) + 1.1 * sin(6.283185 * t / (86400 * 31) + phase2)
}

BEGIN {
  random_seed(seed)
  start = time_seconds("2026-01-05T00:00:00")  # a Monday
  step_s = 300
  phase = between(0, 6.28)
  phase2 = between(0, 6.28)
  plan()
  if (truth) {
    print "kind,begin,end"
    for (n = 1; n <= events; n++) print kind_of[n] "," time_text(start + begin[n]) "," time_text(start + end[n])
    exit
  }
  print "timestamp,value"
  at = 1
  for (i = 0; i < count; i++) {
    t = i * step_s
    while (at < events && t > end[at]) at++
    memory = 0.85 * memory + 0.35 * gauss()
    v = usual(t) + memory + 0.2 * gauss()
    inside = t >= begin[at] && t <= end[at]
    if (inside && kind_of[at] == "stuck") v = kept + 0.01 * integer(-1, 1) * (uniform() < 0.1)
    else kept = v
    if (inside) v += disturbance(t)
    if (t > silent_until && uniform() < 0.0007) silent_until = t + 300 * integer(2, 12)
    if (t < silent_until && !inside || uniform() < 0.003) continue
    printf "%s,%.2f\n", time_text(start + t), v
  }
}
