# Broken sensors: those that stand still, and those that leave their neighbours.

# What counts at least as leaving them: of the logarithm for concentrations (0.28: a third more), else in the quantity's
# unit.
BEGIN {
  split("pm25 pm10 no2 o3", i_of, " ")
  for (i in i_of) { floor_of[i_of[i]] = 0.28; small_of[i_of[i]] = 4 }
  least_away["temperature"] = 1.5
  least_away["humidity"] = 8
}

# Concentrations are compared as logarithms, since stations differ by factors; a small one counts as no less than 4.
function scaled(what, x) { return what in floor_of ? log(x + small_of[what]) : x }

# For each hour the distance of each station from the median of all; from that, each station's own usual distance in its
# first learn_h hours is taken off; the median of 24 hours of what is left is away[]. A sensor is broken while that is
# over `leave` times the usual spread of away: the median of the stations' spreads, so that a few broken ones do not
# hide each other.
function find_broken(what,    h, i, n, list, centre, floor, bound) {
  for (h = first_hour; h <= last_hour; h++) {
    n = 0
    for (i = 1; i <= stations; i++) if ((id[i], what, h) in mean) list[++n] = scaled(what, mean[id[i], what, h])
    if (n < 4) continue  # too few neighbours to know who is wrong
    centre = median(list, n)
    for (i = 1; i <= stations; i++) {
      if ((id[i], what, h) in mean) distance[i, h] = scaled(what, mean[id[i], what, h]) - centre
    }
  }
  for (i = 1; i <= stations; i++) find_away(i)
  floor = what in floor_of ? floor_of[what] : least_away[what]
  bound = leave * usual_spread()
  if (bound < floor) bound = floor
  for (i = 1; i <= stations; i++) {
    if (stuck_s[id[i], what] < 3600 * stuck_h) find_leaving(id[i], what, i, bound)
    else note_broken(id[i], what, "stuck", stuck_from[id[i], what], stuck_to[id[i], what], "null")
  }
  split("", distance)
  split("", away)
}

function find_away(i,    h, n, list, own, size) {
  for (h = first_hour; h < first_hour + learn_h; h++) if ((i, h) in distance) list[++n] = distance[i, h]
  if (n < 12) return
  own = median(list, n)
  for (h = first_hour; h <= last_hour; h++) {
    if ((i, h) in distance) insert(list, ++size, distance[i, h] - own)
    if ((i, h - 24) in distance) remove(list, size--, distance[i, h - 24] - own)
    if (size >= 12) away[i, h] = quantile(list, size, 0.5)
  }
}

function usual_spread(    i, h, n, m, list, units) {
  for (i = 1; i <= stations; i++) {
    n = 0
    for (h = first_hour; h <= last_hour; h += 6) if ((i, h) in away) list[++n] = away[i, h]
    if (n) units[++m] = spread(list, n, 0)
  }
  return m ? median(units, m) : 0
}

# The longest time that the sensor was away, if it is a day or more; it begins where it was a quarter as far away.
function find_leaving(s, what, i, bound,    h, from, best_from, best_to, x, most_away, side) {
  from = 0
  for (h = first_hour; h <= last_hour + 1; h++) {
    x = (i, h) in away ? away[i, h] : h > last_hour ? 0 : x
    if (!from && magnitude(x) > bound) { from = h; most_away = x }
    if (from && magnitude(x) > magnitude(most_away)) most_away = x
    if (!from || magnitude(x) > bound / 2 && x * most_away > 0) continue
    if (h - from > best_to - best_from) { best_from = from; best_to = h; side = most_away }
    from = 0
  }
  if (best_to - best_from < 24) return
  for (h = best_from; h > first_hour && (i, h - 1) in away && away[i, h - 1] * (side > 0 ? 1 : -1) > bound / 4;) h--
  note_broken(s, what, "drift", h, best_to - 1, sprintf("%.3g", what in floor_of ? exp(side) : side))
}

function note_broken(s, what, kind, from, to, away_by) {
  broken_from[s, what] = from
  broken_to[s, what] = to
  broken_line[++broken] = sprintf("{\"station\":\"%s\",\"quantity\":\"%s\",\"kind\":\"%s\",\"begin\":\"%s\"," \
    "\"end\":\"%s\",\"away\":%s}", s, what, kind, time_text(3600 * from), time_text(3600 * to + 3600), away_by)
}
