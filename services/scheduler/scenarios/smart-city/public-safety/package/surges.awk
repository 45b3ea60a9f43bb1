# Crowd surges in a series of counts. Counts scatter like the square root of their size, so they are made even first:
# y = 2 sqrt(n + 3/8) has a variance near 1 for any n (Anscombe 1948). A surge is on when the mean y of the last 6
# counts is over the median of the `memory` seconds before by `surge` of its spreads and the number of people by the
# share `more`; it is over when both are down to half. Slow growth moves the median along.

function count_people(s, t, n,    i, m, list, sum, base, unit, mean_y, away, now_people, base_people) {
  counts[s]++
  crowd[s] += n
  if (n > most_people[s]) most_people[s] = n
  people_y[s, counts[s]] = 2 * sqrt(n + 0.375)
  people_t[s, counts[s]] = t
  if (!oldest[s]) oldest[s] = 1
  for (; people_t[s, oldest[s]] < t - memory_s; oldest[s]++) {
    delete people_y[s, oldest[s]]
    delete people_t[s, oldest[s]]
  }
  if (counts[s] - oldest[s] < 24) return
  for (i = counts[s]; i > counts[s] - 6; i--) sum += people_y[s, i]
  for (; i >= oldest[s]; i--) list[++m] = people_y[s, i]
  base = median(list, m)
  unit = surge_open[s] ? unit_of[s] : spread(list, m, base) / sqrt(6)
  if (unit < 0.41) unit = 0.41  # Poisson's: 1 / sqrt(6)
  unit_of[s] = unit
  mean_y = sum / 6
  away = (mean_y - base) / unit
  now_people = mean_y * mean_y / 4
  base_people = base * base / 4
  if (!surge_open[s] && away >= surge && now_people >= (1 + more) * base_people) open_surge(s, t, base_people)
  if (!surge_open[s]) return
  if (now_people > surge_most[s]) surge_most[s] = now_people
  if (away >= surge / 2 && now_people >= (1 + more / 2) * surge_base[s]) surge_last[s] = t
  else close_surge(s)
}

function open_surge(s, t, base_people) {
  surge_open[s] = 1
  surge_from[s] = surge_last[s] = t
  surge_base[s] = base_people
  surge_most[s] = 0
}

function close_surge(s) {
  surge_open[s] = 0
  square_surges[s]++
  surge_line[++surges] = sprintf("{\"square\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"people\":%.0f,\"usual\":%.0f}", \
    s, time_text(surge_from[s]), time_text(surge_last[s]), surge_most[s], surge_base[s])
}
