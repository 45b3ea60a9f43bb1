# Level of service of a segment by quarter hours, and its line in the result.

# The letter for a density in vehicles per km and lane: HCM 2010, exhibit 11-5 (basic freeway segments; 11, 18, 26, 35
# and 45 cars per mile and lane).
function letter_of(d) {
  return d <= 6.8 ? "A" : d <= 11.2 ? "B" : d <= 16.2 ? "C" : d <= 21.7 ? "D" : d <= 28 ? "E" : "F"
}

# Density of a quarter hour = flow / speed / lanes, the speed weighted by the flow (harmonic, as for vehicles on a
# stretch). A quarter with fewer than 8 minutes is left out.
function rate_service(s,    m, n, hours, letter) {
  for (m = first_minute; m <= last_minute; m++) {
    if ((s, m) in flow) {
      n++
      if ((s, m) in speed && speed[s, m] > 0) hours += flow[s, m] / speed[s, m]
    }
    if (m % 15 != 14 && m < last_minute) continue
    if (n >= 8) {
      letter = letter_of(hours / n / lanes)
      quarters[s, letter]++
      if (letter > worst[s]) worst[s] = letter
    }
    n = hours = 0
  }
}

function segment_line(s,    i, line) {
  line = sprintf("{\"segment\":\"%s\",\"km\":%.6g,\"free_speed\":%.1f,\"congested_min\":%d," \
    "\"worst_service\":\"%s\",\"quarters\":{", s, km[s], free_speed[s], congested_min[s], worst[s])
  for (i = 1; i <= 6; i++) line = line sprintf("%s\"%s\":%d", (i > 1 ? "," : ""), substr("ABCDEF", i, 1), \
    quarters[s, substr("ABCDEF", i, 1)])
  return line "}}"
}
