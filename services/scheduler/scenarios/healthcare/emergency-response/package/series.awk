# Makes readings of a ward's patients, one a minute each, with planted deteriorations; truth=1 prints those instead.
# Wants: seed, count (lines), patients, truth. Uses random.awk and news2.awk.
#
# A patient has values of their own (some have a lung disease: scale 2, on oxygen), a daily cycle, slow wander and noise, walks,
# probes that slip for a minute or two, readings that are missing, a cuff every 5 and a thermometer every 10 minutes. A
# deterioration is a trapezoid of 1.5 to 4 hours on several parameters at once.

BEGIN {
  seed_random(seed)
  minutes = int((count + patients - 1) / patients)
  for (p = 1; p <= patients; p++) admit(p)
  for (p = 1; p <= patients; p++) plan(p)
  if (truth) exit
  print "time_s,patient,respiration,spo2,scale,oxygen,systolic,pulse,consciousness,temperature"
  for (m = 0; m < minutes; m++)
    for (p = 1; p <= patients && lines < count; p++) { measure(p, m); lines++ }
}

function admit(p) {
  name[p] = sprintf("P%02d", p)
  lungs[p] = uniform() < 0.2
  base[p, "r"] = between(14, 17.5); base[p, "s"] = lungs[p] ? between(89.5, 91.5) : between(96.5, 98)
  base[p, "b"] = between(120, 148); base[p, "p"] = between(62, 82); base[p, "t"] = between(36.5, 37.3)
  walk_until[p] = slip_until[p] = -1
}

# Plants deteriorations at random times. One whose undisturbed score would reach the limit of 5 for only a moment is made
# stronger, so that the truth is plain: it reaches 6 and holds for 25 minutes, or stays below 4 throughout.
function plan(p, begin, end) {
  if (truth && p == 1) print "patient,start_s,end_s,peak,kind"
  begin = whole_between(20, 300)
  while (begin + 240 < minutes) {
    kind[p, ++planned[p]] = whole_between(1, 4)
    start[p, planned[p]] = begin
    rise[p, planned[p]] = whole_between(30, 90); hold[p, planned[p]] = whole_between(20, 60)
    fall[p, planned[p]] = whole_between(30, 80)
    strength[p, planned[p]] = between(0.4, 1.2)
    end = begin + rise[p, planned[p]] + hold[p, planned[p]] + fall[p, planned[p]]
    while (!plain(p, planned[p], begin, end)) strength[p, planned[p]] += 0.05
    if (truth && peak >= 5) printf "%s,%d,%d,%d,%d\n", name[p], first * 60, last * 60, peak, kind[p, planned[p]]
    begin = end + whole_between(150, 500)
  }
  current[p] = 1
}

function plain(p, k, begin, end, m, score) {  # sets peak, first, last
  peak = 0; first = last = -1
  for (m = begin; m <= end; m += 2) {
    body(p, m, effect(p, k, m))
    score = news2(round(now_r), round(now_s), lungs[p] ? 2 : 1, now_oxygen, round(now_b), round(now_p), now_c, round(10 * now_t))
    if (score > peak) peak = score
    if (score >= 5) { if (first < 0) first = m; last = m }
  }
  return peak < 4 || (peak >= 6 && last - first >= 25)
}

function round(x) { return int(x + 0.5) }

function effect(p, k, m, x) {  # sets effect_kind; 0 to strength
  x = m - start[p, k]
  effect_kind = kind[p, k]
  if (x <= 0) return 0
  if (x < rise[p, k]) return strength[p, k] * x / rise[p, k]
  x -= rise[p, k] + hold[p, k]
  if (x <= 0) return strength[p, k]
  return x < fall[p, k] ? strength[p, k] * (1 - x / fall[p, k]) : 0
}

# The undisturbed body at minute m: sets now_r (respiration), now_s (SpO2), now_b (systolic), now_p (pulse), now_t, now_oxygen, now_c.
function body(p, m, e, day) {
  day = sin(6.283185307179586 * (m / 1440 + p / 7))
  now_r = base[p, "r"] + 0.5 * day; now_s = base[p, "s"]; now_b = base[p, "b"] + 4 * day
  now_p = base[p, "p"] + 4 * day; now_t = base[p, "t"] + 0.2 * day
  now_oxygen = lungs[p]; now_c = "A"
  if (e <= 0) return
  if (effect_kind == 1) {  # sepsis
    now_r += 10 * e; now_s -= 4 * e; now_b -= 35 * e; now_p += 45 * e; now_t += 2.2 * e
    if (e > 0.85) now_c = "C"
  } else if (effect_kind == 2) {  # respiratory failure
    now_r += 13 * e; now_s -= 8 * e; now_p += 25 * e
    if (e > 0.4) now_oxygen = 1
  } else if (effect_kind == 3) {  # bleeding
    now_r += 8 * e; now_b -= 50 * e; now_p += 55 * e
    if (e > 0.9) now_c = "C"
  } else {  # too much opioid
    now_r -= 8 * e; now_s -= 6 * e; now_p -= 15 * e
    if (e > 0.5) now_c = e > 1 ? "P" : "V"
  }
}

function wander(p, what, size) {  # slow noise of this size
  slow[p, what] = 0.95 * slow[p, what] + 0.312 * gauss()
  return size * slow[p, what]
}

function measure(p, m, k) {
  k = current[p]
  while (k <= planned[p] && m > start[p, k] + rise[p, k] + hold[p, k] + fall[p, k]) k = ++current[p]
  body(p, m, k <= planned[p] ? effect(p, k, m) : 0)
  now_r += wander(p, "r", 0.8) + 0.5 * gauss(); now_s += wander(p, "s", 0.4) + 0.3 * gauss()
  now_b += wander(p, "b", 4) + 2 * gauss(); now_p += wander(p, "p", 3) + 1.5 * gauss(); now_t += 0.05 * gauss()
  if (uniform() < 0.004) walk_until[p] = m + whole_between(3, 8)
  if (m < walk_until[p]) { now_p += 22; now_r += 4 }
  if (uniform() < 0.006) slip_until[p] = m + whole_between(1, 2)
  if (m < slip_until[p]) { now_s -= between(8, 30); now_r += between(0, 15) }
  if (uniform() < 0.01) now_b += uniform() < 0.5 ? -30 : 40
  if (now_s > 100) now_s = 100
  printf "%d,%s,%s,%s,%d,%d,%s,%s,%s,%s\n", m * 60, name[p], reading(now_r), reading(now_s), lungs[p] ? 2 : 1, now_oxygen,
    (m + p) % 5 == 0 ? reading(now_b) : "", reading(now_p), uniform() < 0.01 ? "" : now_c,
    (m + p) % 10 == 0 ? sprintf("%.1f", now_t) : ""
}

function reading(x) { return uniform() < 0.01 ? "" : round(x) "" }
