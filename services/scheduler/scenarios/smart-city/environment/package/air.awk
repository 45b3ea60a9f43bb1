# The air over the city hour by hour, and which sensors break. For make-input.awk only.

# Episodes are pollution of the whole city (smoke: pm25, dust: pm10) or at one station (a fire, a building site).
function plan_air(    h, s, q, t, n) {
  wind = mild = 0
  for (h = 0; h <= hours + 1; h++) {
    wind = 0.97 * wind + 0.11 * gauss()   # of the log of the background
    mild = 0.985 * mild + 0.35 * gauss()  # of the temperature
    background[h] = 9 * exp(wind)
    warmth[h] = 4 + mild
    for (s = 1; s <= stations; s++) for (q = 1; q <= 6; q++) {
      own[s, q, h] = 0.8 * (h ? own[s, q, h - 1] : 0) + (q <= 4 ? 0.08 : q == 5 ? 0.25 : 1) * gauss()
    }
  }
  for (s = 1; s <= stations; s++) {
    for (q = 1; q <= 6; q++) place[s, q] = q <= 4 ? exp(0.15 * gauss()) : (q == 5 ? 0.7 : 3) * gauss()
  }
  for (t = between(10, 40); t < hours - 10; t = episode_to[n] + between(16, 50)) {
    n = ++episodes
    episode_from[n] = t
    episode_station[n] = uniform() < 0.35 ? 0 : integer(1, stations)  # 0: all
    episode_to[n] = t + (episode_station[n] ? between(6, 13) : between(8, 34))
    episode_kind[n] = uniform() < 0.6 ? "smoke" : "dust"
    episode_size[n] = episode_kind[n] == "smoke" ? between(30, 110) : between(130, 300)
    if (uniform() < 0.2) episode_size[n] *= 0.5  # stays below
  }
}

# 10 sensors break, each at another station, after the fourth day: drift, step or stuck.
function plan_faults(    n, s, q, first_extra) {
  first_extra = integer(0, 5)
  for (n = 1; n <= 10 && hours > 200; n++) {
    do {
      s = integer(1, stations)
    } while (s in fault_step)
    q = n <= 6 ? n : 1 + (first_extra + n) % 6  # none more than twice
    fault_quantity[s] = q
    fault_step[s] = 6 * integer(96, int(hours * 0.6))
    fault_kind[s] = uniform() < 0.6 ? "drift" : uniform() < 0.6 ? "step" : "stuck"
    fault_size[s] = q <= 4 ? between(0.65, 1.2) : q == 5 ? between(3.5, 7) : between(18, 32)
    if (fault_kind[s] == "step") fault_size[s] *= 0.75
    if (uniform() < 0.5) fault_size[s] = -fault_size[s]
  }
}

# How much of the episodes is at a station at an hour: up and down within two hours.
function episode_at(s, kind, h,    n, sum, since) {
  for (n = 1; n <= episodes; n++) {
    if (episode_kind[n] != kind || h < episode_from[n] || h > episode_to[n]) continue
    if (episode_station[n] && episode_station[n] != s) continue
    since = h - episode_from[n] < episode_to[n] - h ? h - episode_from[n] : episode_to[n] - h
    sum += episode_size[n] * (since < 2 ? since / 2 : 1)
  }
  return sum
}

# What is there, without noise: quantity q at station s at hour h (a fraction is within the hour).
function truth_at(s, q, h,    k, share, day, mine, rush, sun) {
  k = int(h)
  share = h - k
  mine = own[s, q, k] * (1 - share) + own[s, q, k + 1] * share
  day = h - 24 * int(h / 24)
  rush = exp(-(day - 8) * (day - 8) / 5) + exp(-(day - 18) * (day - 18) / 8)
  sun = sin(6.2832 * (day - 9) / 24)
  if (q == 5) return place[s, 5] + (warmth[k] * (1 - share) + warmth[k + 1] * share) + 3.5 * sun + mine
  if (q == 6) return 74 + place[s, 6] - 14 * sun + mine
  share = background[k] * (1 - share) + background[k + 1] * share
  if (q == 3) return place[s, 3] * (14 + 0.5 * share + 26 * rush) * exp(mine)
  if (q == 4) return place[s, 4] * (38 + 26 * sun - 14 * rush + 8) * exp(mine)
  k = episode_at(s, "smoke", h)
  if (q == 1) return place[s, 1] * (share * (1 + 0.3 * rush) + k) * exp(mine)
  return place[s, 2] * (7 + 1.4 * share * (1 + 0.5 * rush) + 1.2 * k + episode_at(s, "dust", h)) * exp(mine)
}
