# Estimates the life that is left to each bearing from vibration and temperature. Needs csv, order, damage, trend.
# A damage index runs from 0 (as new) to 1 (failed); its growth is fitted and followed to 1.

BEGIN {
  FS = ","
  bins_max = 50
  powers = split("1 1.125 1.25 1.375 1.5", power, " ")
  z_confidence = normal_quantile(0.5 + confidence / 2)
}

NR == 1 { csv_header("machine hours rms temperature"); next }

csv_row() {
  m = csv_name("machine")
  t = csv_number("hours")
  v = csv_number("rms")
  c = csv_number("temperature")
  if (t == "") bad_field("hours", "is empty")
  if (v == "" || c == "") { empty++; next }
  if (v <= 0) bad_field("rms", "is not above 0")
  if (m in now && t <= now[m]) { late++; next }
  if (!(m in now)) id[++machines] = m
  n = ++count[m]
  now[m] = hours[m, n] = t
  rms[m, n] = v
  celsius[m, n] = c
}

END {
  csv_end()
  for (i = 1; i <= machines; i++) estimate(id[i])
  write_result(result)
}

# The life is the mean over the forms of growth, each weighted by its likelihood under Laplace noise, misfit^-bins; the
# interval is that of all forms that fit nearly as well as the best.
function estimate(m,    p, scatter, best, weight, weights, mean) {
  life[m] = low_life[m] = high_life[m] = "null"
  state[m] = "unknown"
  if (count[m] < 40) return
  scatter = index_of(m)
  best = 1
  for (p = 1; p <= powers; p++) if (fit_begin(p) < misfit[best]) best = p
  health[m] = growth[best] * power_of(t_bin[bins] - begin[best], power[best])
  state[m] = "healthy"
  if (health[m] < 0.08 || health[m] < 4 * scatter) return
  state[m] = "degrading"
  for (p = 1; p <= powers; p++) {
    weight = exp(bins * log(misfit[best] / misfit[p]))
    if (weight < 0.05) continue
    follow_trend(m, p)
    weights += weight
    mean += weight * trend_life
    if (low_life[m] == "null" || trend_low < low_life[m]) low_life[m] = trend_low
    if (high_life[m] == "null" || trend_high > high_life[m]) high_life[m] = trend_high
  }
  life[m] = mean / weights
  due[m] = life[m] <= horizon
}

function power_of(x, p) { return x <= 0 ? 0 : exp(p * log(x)) }

function told(x) { return x == "null" ? x : sprintf("%.1f", x) }

function write_result(file,    i, m, named) {
  for (i = 1; i <= machines; i++) if (due[id[i]]) named = named (found++ ? "," : "") "\"" id[i] "\""
  printf "{\"samples\":%d,\"late\":%d,\"empty\":%d,\"horizon_h\":%g,\"confidence\":%g,\n", samples, late, empty, \
    horizon, confidence > file
  printf "\"maintenance\":[%s],\n\"machines\":[", named > file
  for (i = 1; i <= machines; i++) {
    m = id[i]
    states[state[m]]++
    printf "%s\n{\"machine\":\"%s\",\"samples\":%d,\"state\":\"%s\",\"damage\":%.3f,", (i > 1 ? "," : ""), m, \
      count[m], state[m], health[m] > file
    printf "\"life_h\":%s,\"life_low_h\":%s,\"life_high_h\":%s,\"due\":%s}", told(life[m]), told(low_life[m]), \
      told(high_life[m]), (due[m] ? "true" : "false") > file
  }
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d of %d machines need maintenance within %g h; %d degrading, %d healthy\n", found, machines, horizon, \
    states["degrading"], states["healthy"]
}
