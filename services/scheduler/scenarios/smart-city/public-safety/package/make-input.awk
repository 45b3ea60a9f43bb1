# Makes the sound level (four a second) and the number of people (one in five seconds) of three squares, or (truth = 1)
# the planted surges and impulses. Needs time, random, square. What happens is drawn first (square.awk), the noise after
# that.

function print_sample(s, i,    t, people) {
  t = i / 4
  people = i % 20 ? "" : people_at(s, t)
  if (silent_at(s, t)) return
  printf "%s,square-%d,%.1f,%s\n", time_text(start + t), s, level_at(s, t), people
}

function people_at(s, t,    n) {
  n = crowd_at(s, t)
  n += sqrt(n) * 1.15 * gauss()  # people come in groups: a little more than Poisson's
  return n < 0 ? 0 : int(n + 0.5)
}

# dB of all sources together, the meter's own noise, and at times a glitch of one sample.
function level_at(s, t,    l) {
  l = sum_db(traffic_at(s, t) + 1.1 * gauss(), music_at(s, t))
  l = sum_db(l, voices_at(s, t))
  l = sum_db(l, impulse_at(s, t))
  if (uniform() < 0.0005) return l + between(12, 30)
  return l + 0.4 * gauss()
}

function sum_db(a, b) {
  if (b <= 0) return a
  return 10 * log(exp(a * 0.2302585) + exp(b * 0.2302585)) / 2.302585
}

function print_event(kind, s, from, to, marginal) {
  if (from > seconds) return
  print kind ",square-" s "," time_text(start + int(from * 4) / 4) "," time_text(start + int(to * 4) / 4) "," marginal
}

BEGIN {
  random_seed(seed)
  start = time_seconds("2026-06-20T20:00:00")
  squares = 3
  samples = int(count / squares)
  seconds = samples / 4
  for (s = 1; s <= squares; s++) plan_square(s)
  if (truth) {
    print "kind,square,begin,end,marginal"
    for (s = 1; s <= squares; s++) {
      for (n = 1; n <= surges[s]; n++) {
        print_event("surge", s, surge_from[s, n], surge_to[s, n], surge_to[s, n] > seconds - 60)
      }
      for (n = 1; n <= shots[s]; n++) print_event("impulse", s, shot_from[s, n], shot_to[s, n], \
        hidden_shot(s, n) || shot_from[s, n] > seconds - 10)
    }
    exit
  }
  print "timestamp,square,sound_db,people"
  for (i = 0; i < samples; i++) for (s = 1; s <= squares; s++) print_sample(s, i)
}
