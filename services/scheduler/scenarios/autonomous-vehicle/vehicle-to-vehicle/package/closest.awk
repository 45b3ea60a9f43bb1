# Where two vehicles that keep their velocities come closest: with distance r and velocity v of one as seen from the other, at
# t = -(r . v) / (v . v), and then |r + v t| apart (D. Sunday, "Distance between 3D lines and segments: closest point of approach", 2001).
# Wants: distance_m, horizon_s, max_age_ms. Sets the warnings.

BEGIN { degree = 0.017453292519943295 }

function east(speed, heading) { return speed * sin(heading * degree) }
function north(speed, heading) { return speed * cos(heading * degree) }

# Judges the moment `ms` with the own state and the peer's newest, carried on in a straight line.
function judge(ms, x, y, speed, heading, age, rx, ry, vx, vy, vv, t, apart, now) {
  age = (ms - peer_ms) / 1000
  if (peer_ms == "" || age * 1000 > max_age_ms) { unknown++; end_step(ms, 0); return }
  vx = east(peer_speed, peer_heading); vy = north(peer_speed, peer_heading)
  rx = peer_x + vx * age - x; ry = peer_y + vy * age - y
  vx -= east(speed, heading); vy -= north(speed, heading)
  vv = vx * vx + vy * vy
  t = vv > 0.01 ? -(rx * vx + ry * vy) / vv : 0  # side by side: now
  now = sqrt(rx * rx + ry * ry)
  apart = t > 0 ? sqrt((rx + vx * t) * (rx + vx * t) + (ry + vy * t) * (ry + vy * t)) : now
  if (lowest == "" || now < lowest) lowest = now
  end_step(ms, t <= horizon_s && apart < distance_m && (t > 0 || vv <= 0.01), t, apart, now)
}

# A warning begins with the second moment in a row that is dangerous, and ends when two seconds were without danger.
function end_step(ms, danger, t, apart, now) {
  if (!danger) {
    dangers = 0
    if (warning && ms - end[warnings] > 2000) warning = 0
    return
  }
  if (!dangers++) { first_ms = ms; first_t = t; first_apart = apart }
  if (!warning) {
    if (dangers < 2) return
    warning = 1
    start[++warnings] = first_ms; ahead[warnings] = first_t; closest[warnings] = first_apart; nearest[warnings] = now
  }
  end[warnings] = ms
  if (apart < closest[warnings]) closest[warnings] = apart
  if (now < nearest[warnings]) nearest[warnings] = now
}
