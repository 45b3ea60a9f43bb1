# What happens on a square. For make-input.awk only.

function plan_square(s,    t, n) {
  base_people[s] = s == 1 ? between(45, 80) : s == 2 ? between(120, 220) : between(300, 600)
  growth[s] = between(0.9, 1.6)
  empties[s] = uniform() < 0.4  # else it fills
  crowd_phase[s] = between(0, 6.28)
  traffic[s] = between(57, 62)
  # surges: people gather within a minute or two, stay, and go
  for (t = between(660, 1000); t < seconds - 500; t = surge_end[s, n] + between(660, 1100)) {
    n = ++surges[s]
    surge_from[s, n] = t
    surge_rise[s, n] = between(30, 100)
    surge_hold[s, n] = between(60, 200)
    surge_fall[s, n] = between(60, 150)
    surge_size[s, n] = s == 1 ? between(0.65, 1.3) : between(0.42, 0.9)
    surge_end[s, n] = t + surge_rise[s, n] + surge_hold[s, n] + surge_fall[s, n]
    surge_to[s, n] = surge_end[s, n] - surge_fall[s, n] / 2
  }
  # impulses: one to five shots
  for (t = between(30, 200); t < seconds - 10; t = shot_to[s, n] + between(120, 500)) {
    n = ++shots[s]
    shot_from[s, n] = t
    shot_times[s, n] = uniform() < 0.4 ? 1 : integer(2, 5)
    shot_gap[s, n] = between(0.8, 1.6)
    shot_loud[s, n] = between(17, 38)  # dB over the square's usual traffic or music
    shot_decay[s, n] = between(26, 34.7)  # dB per second; 34.7 is the meter's time weighting "fast"
    shot_to[s, n] = t + (shot_times[s, n] - 1) * shot_gap[s, n] + 0.5
  }
  # vehicles pass
  for (t = between(0, 20); t < seconds; t += between(5, 45)) {
    n = ++passes[s]
    pass_at[s, n] = t
    pass_loud[s, n] = between(4, 14)
    pass_width[s, n] = between(1.5, 4)
  }
  # horns, sirens, shouts: loud for a second or more
  for (t = between(10, 90); t < seconds; t = voice_to[s, n] + between(25, 160)) {
    n = ++voices[s]
    voice_from[s, n] = t
    voice_to[s, n] = t + between(1.6, 5)
    voice_loud[s, n] = between(66, 84)
    voice_ramp[s, n] = uniform() < 0.4 ? 0.2 : between(0.5, 1.2)
  }
  # music, on two of the squares
  music_from[s] = s == 3 ? seconds * 2 : seconds * between(0.1, 0.4)
  music_to[s] = music_from[s] + seconds * between(0.3, 0.5)
  music_loud[s] = between(72, 79)
  beat[s] = between(0.44, 0.62)
  # times without data
  for (t = between(0, 3000); t < seconds; t = silent_to[s, n] + between(600, 5000)) {
    n = ++silences[s]
    silent_from[s, n] = t
    silent_to[s, n] = t + between(5, 30)
  }
  at_silence[s] = at_surge[s] = at_shot[s] = at_pass[s] = at_voice[s] = 1
}

function silent_at(s, t) {
  while (at_silence[s] < silences[s] && t > silent_to[s, at_silence[s]]) at_silence[s]++
  return t >= silent_from[s, at_silence[s]] && t <= silent_to[s, at_silence[s]] && silences[s]
}

# True when a shot is less than 14 dB over the other sounds of that time, or there are no data around it.
function hidden_shot(s, n,    t, k, other) {
  t = shot_from[s, n]
  for (k = 1; k <= silences[s]; k++) if (t > silent_from[s, k] - 8 && t < silent_to[s, k] + 13) return 1
  other = sum_db(sum_db(traffic_at(s, t), music_at(s, t)), voices_at(s, t))
  return impulse_at(s, t) < other + 14
}

function crowd_at(s, t,    n, since, left, more) {
  while (at_surge[s] < surges[s] && t > surge_end[s, at_surge[s]]) at_surge[s]++
  n = at_surge[s]
  since = t - surge_from[s, n]
  left = surge_end[s, n] - t
  if (surges[s] && since > 0 && left > 0) {
    more = 1
    if (since < surge_rise[s, n]) more = since / surge_rise[s, n]
    if (left < surge_fall[s, n]) more = left / surge_fall[s, n]
  }
  left = t < 4800 ? t / 4800 : 1
  if (empties[s]) left = 1 - left
  n = base_people[s] * (1 + growth[s] * left + 0.12 * sin(6.2832 * t / 2900 + crowd_phase[s]))
  return n * (1 + more * surge_size[s, at_surge[s]])
}

function traffic_at(s, t,    n, l, x) {
  l = traffic[s] + 1.5 * sin(6.2832 * t / 1300 + crowd_phase[s])
  while (at_pass[s] < passes[s] && t > pass_at[s, at_pass[s]] + 10) at_pass[s]++
  for (n = at_pass[s]; n <= passes[s] && pass_at[s, n] < t + 10; n++) {
    x = (t - pass_at[s, n]) / pass_width[s, n]
    l += pass_loud[s, n] * exp(-x * x)
  }
  return l
}

function music_at(s, t,    of_beat) {
  if (t < music_from[s] || t > music_to[s] || t % 211 < 9) return 0  # a pause between songs
  of_beat = t / beat[s]
  of_beat -= int(of_beat)
  return music_loud[s] + (of_beat < 0.4 ? 5 : 0) + 1.6 * gauss()
}

function voices_at(s, t,    n, since, left) {
  while (at_voice[s] < voices[s] && t > voice_to[s, at_voice[s]]) at_voice[s]++
  n = at_voice[s]
  since = t - voice_from[s, n]
  if (since < 0 || t > voice_to[s, n]) return 0
  left = voice_to[s, n] - t
  if (left < since) since = left
  return voice_loud[s, n] - (since < voice_ramp[s, n] ? 20 * (1 - since / voice_ramp[s, n]) : 0) + 1.5 * gauss()
}

# The level, in the quarter second that begins at t, of the shots that were fired before its end.
function impulse_at(s, t,    n, k, since, l, x) {
  while (at_shot[s] < shots[s] && t > shot_to[s, at_shot[s]] + 3) at_shot[s]++
  n = at_shot[s]
  for (k = 0; k < shot_times[s, n]; k++) {
    since = t - shot_from[s, n] - k * shot_gap[s, n]
    if (since < -0.25 || since > 3) continue
    x = shot_loud[s, n] - (since > 0 ? since * shot_decay[s, n] : 0)
    if (x > l) l = x
  }
  return l > 0 ? l + (t >= music_from[s] && t <= music_to[s] ? music_loud[s] + 3 : traffic[s]) : 0
}
