# Makes the track of one of two vehicles that meet again and again; truth=1 prints the planted near misses instead.
# Wants: seed, count (samples), vehicle (1 or 2), truth. Uses random.awk. x is east, y north, the heading clockwise from north.
#
# Vehicle 1 drives through the country. Vehicle 2's place is given relative to it: straight through an encounter, then a turn
# (a cubic Hermite curve), then the next encounter. A near miss passes at 0.3 to 4.4 m, a harmless one at 6 to 16 m. Some are avoided at the
# last moment, and some arise then. The receivers have drift and noise, and lose the sky for a second or two.

BEGIN {
  tau = 6.283185307179586
  seconds = count / 10
  seed_random(seed)
  turn_phase = between(0, tau); speed_phase = between(0, tau)
  plan()
  if (truth) { print_truth(); exit }
  seed_random((seed * 2 + vehicle) % 2147483647)  # noise of its own
  print "time_ms,x_m,y_m,speed_mps,heading_deg"
  for (i = 0; i < count; i++) { drive(i / 10); sample(i / 10) }
}

# Encounter k: the closest at when[k], with relative speed pace[k] in direction way[k], at miss[k] to the left of it; from turn_at[k] on,
# within 2.4 s, at then[k].
function plan(t, away) {
  away = between(0, tau)
  for (t = between(14, 22); t + 2 < seconds; t += between(26, 36)) {
    when[++meetings] = t
    pace[meetings] = between(6, 14)
    way[meetings] = away
    away += tau / 2 + between(-0.8, 0.8)  # it comes back from about where it went
    plan_miss(uniform())
  }
}

function side() { return uniform() < 0.5 ? 1 : -1 }

function plan_miss(kind) {
  turn_at[meetings] = 1e9
  if (kind < 0.5) { miss[meetings] = side() * between(0.3, 4.4); near(when[meetings] - 5, when[meetings], "near", miss[meetings]) }
  else if (kind < 0.75) miss[meetings] = side() * between(6, 16)
  else if (kind < 0.88) {
    miss[meetings] = side() * between(0.3, 3)
    turn_at[meetings] = when[meetings] - between(2.6, 3.4)
    then[meetings] = miss[meetings] + (miss[meetings] > 0 ? 8 : -8)
    near(when[meetings] - 5, turn_at[meetings] + 0.6, "avoided", then[meetings])
  } else {
    miss[meetings] = side() * between(8, 10)
    turn_at[meetings] = when[meetings] - between(3.2, 4)
    then[meetings] = between(0, 2) * (miss[meetings] > 0 ? 1 : -1)
    near(turn_at[meetings] + 0.4, when[meetings], "late", then[meetings])
  }
}

function near(from, to, kind, distance) {
  near_start[++nears] = from; near_end[nears] = to; near_kind[nears] = kind
  near_miss[nears] = distance < 0 ? -distance : distance
}

function print_truth(n) {
  print "start_ms,end_ms,miss_m,kind"
  for (n = 1; n <= nears; n++) printf "%.0f,%.0f,%.2f,%s\n", 1000 * near_start[n], 1000 * near_end[n], near_miss[n], near_kind[n]
}

# Where vehicle 2 is relative to vehicle 1: sets rel_x, rel_y.
function relative(t) {
  while (at < meetings && t > when[at + 1] - 8) at++
  if (at == 0) straight(1, t)
  else if (at == meetings || t <= when[at] + 8) straight(at, t)
  else curve(t)
}

function straight(k, t, part, left, along) {
  part = (t - turn_at[k]) / 2.4
  part = part < 0 ? 0 : (part > 1 ? 1 : part * part * (3 - 2 * part))
  left = miss[k] + (then[k] - miss[k]) * part
  along = pace[k] * (t - when[k])
  rel_x = along * cos(way[k]) - left * sin(way[k]); rel_y = along * sin(way[k]) + left * cos(way[k])
}

function curve(t, long, u, a, b, c, d, x, y) {
  long = when[at + 1] - when[at] - 16
  u = (t - when[at] - 8) / long
  a = 2 * u * u * u - 3 * u * u + 1; b = u * u * u - 2 * u * u + u; c = 1 - a; d = u * u * u - u * u
  straight(at, when[at] + 8); x = a * rel_x; y = a * rel_y
  straight(at + 1, when[at + 1] - 8); x += c * rel_x; y += c * rel_y
  rel_x = x + long * (b * pace[at] * cos(way[at]) + d * pace[at + 1] * cos(way[at + 1]))
  rel_y = y + long * (b * pace[at] * sin(way[at]) + d * pace[at + 1] * sin(way[at + 1]))
}

# Vehicle 1 by the middle of each step; the vehicle's own place and velocity from the step before.
function drive(t, speed, heading, x, y) {
  if (t > 0) {
    speed = 12 + 2.5 * sin(tau * t / 83 + speed_phase)
    heading = 1.2 * sin(tau * t / 211 + turn_phase)
    base_x += 0.1 * speed * sin(heading); base_y += 0.1 * speed * cos(heading)
  }
  x = base_x; y = base_y
  if (vehicle == 2 && meetings) { relative(t); x += rel_x; y += rel_y }
  speed_x = t > 0 ? (x - true_x) * 10 : 0; speed_y = t > 0 ? (y - true_y) * 10 : 12
  true_x = x; true_y = y
}

function sample(t, speed, heading) {
  drift_x = 0.998 * drift_x + 0.018 * gauss(); drift_y = 0.998 * drift_y + 0.018 * gauss()
  speed = sqrt(speed_x * speed_x + speed_y * speed_y) + 0.08 * gauss()
  heading = atan2(speed_x, speed_y) * 360 / tau + 0.4 * gauss()
  if (speed < 0) speed = 0
  heading -= 360 * int(heading / 360); if (heading < 0) heading += 360
  if (uniform() < 0.0006) dark_until = t + between(0.5, 2)
  if (t > 1 && t < dark_until) return
  printf "%.0f,%.2f,%.2f,%.2f,%.1f\n", 1000 * t, true_x + drift_x + 0.04 * gauss(), true_y + drift_y + 0.04 * gauss(), speed, heading
}
