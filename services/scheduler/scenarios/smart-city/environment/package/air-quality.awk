# Hourly means, air quality index, exceedances and broken sensors of stations. Needs csv, time, order, aqi, broken,
# exceed.

BEGIN {
  FS = ","
  quantities = split("pm25 pm10 no2 o3 temperature humidity", quantity, " ")
}

NR == 1 { csv_header("timestamp station pm25 pm10 no2 o3 temperature humidity"); next }

csv_row() {
  t = csv_time("timestamp")
  s = csv_name("station")
  if (s in last_t && t <= last_t[s]) { late++; next }
  if (!(s in last_t)) id[++stations] = s
  last_t[s] = t
  h = int(t / 3600)
  if (samples == 1 || h < first_hour) first_hour = h
  if (h > last_hour) last_hour = h
  if (last_hour - first_hour > 8784) bad_field("timestamp", "is more than a year from another")
  for (q = 1; q <= quantities; q++) {
    what = quantity[q]
    take(s, what, h, t, what in floor_of ? csv_range(what, -50, 100000) : csv_range(what, -100, 1000))
  }
}

END {
  csv_end()
  for (i = 1; i <= stations; i++) for (q = 1; q <= quantities; q++) close_hours(id[i], quantity[q])
  for (q = 1; q <= quantities; q++) find_broken(quantity[q])
  for (i = 1; i <= stations; i++) find_exceedances(id[i])
  if (hourly_file != "") write_hourly(hourly_file)
  write_result(result)
}

# Adds a reading to its hour, and follows how long the sensor has shown the same.
function take(s, what, h, t, x) {
  if (x == "") { empty++; return }
  if (what in floor_of && x < 0) x = 0
  sum[s, what, h] += x
  times[s, what, h]++
  if (times[s, what, h] > most_times) most_times = times[s, what, h]
  if (!((s, what) in same_x) || x != same_x[s, what]) {
    same_x[s, what] = x
    same_t[s, what] = t
  } else if (t - same_t[s, what] > stuck_s[s, what] && x != 0 && !(what == "humidity" && x >= 99.5)) {
    stuck_s[s, what] = t - same_t[s, what]
    stuck_from[s, what] = int(same_t[s, what] / 3600)
    stuck_to[s, what] = h
  }
}

# mean[station, quantity, hour], where there are enough readings.
function close_hours(s, what,    h, n) {
  for (h = first_hour; h <= last_hour; h++) {
    n = times[s, what, h]
    if (n == 0 || n < complete * most_times) continue
    mean[s, what, h] = sum[s, what, h] / n
    valid[s, what]++
    summed[s, what] += mean[s, what, h]
    if (!((s, what) in most) || mean[s, what, h] > most[s, what]) most[s, what] = mean[s, what, h]
  }
}

function write_hourly(file,    i, h, q, line) {
  print "timestamp,station,pm25,pm10,no2,o3,temperature,humidity,aqi_pm25,aqi_pm10" > file
  for (h = first_hour; h <= last_hour; h++) for (i = 1; i <= stations; i++) {
    line = time_text(3600 * h) "," id[i]
    for (q = 1; q <= quantities; q++) line = line "," shown_mean(id[i], quantity[q], h)
    print line "," shown_index(id[i], "pm25", h) "," shown_index(id[i], "pm10", h) > file
  }
  close(file)
}

function shown_mean(s, what, h) { return (s, what, h) in mean ? sprintf("%.2f", mean[s, what, h]) : "" }

function shown_index(s, what, h) { return (s, what, h) in hour_index ? hour_index[s, what, h] : "" }
