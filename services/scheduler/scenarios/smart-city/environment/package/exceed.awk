# The index hour by hour, the hours over the bound, and the result.

# hour_index[s, pm25 or pm10, h]. An exceedance is a run of hours in which the index of a sensor that is not broken is
# over the bound.
function find_exceedances(s,    h, p, what, i, c, x, over, from, top) {
  for (h = first_hour; h <= last_hour + 1; h++) {
    over = 0
    for (p = 1; p <= 2 && h <= last_hour; p++) {
      what = quantity[p]
      for (i = 0; i < 12; i++) c[i] = (s, what, h - i) in mean ? mean[s, what, h - i] : ""
      x = nowcast(c)
      if (x == "") continue
      x = hour_index[s, what, h] = aqi(what, x)
      if (is_broken(s, what, h)) continue
      if (x > best_index[s]) best_index[s] = x
      if (x > exceed && x > over) over = x
    }
    if (over) {
      if (!from) { from = h; top = 0 }
      if (over > top) top = over
      hours_over[s]++
    } else if (from) {
      exceedance_line[++exceedances] = sprintf("{\"station\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"hours\":%d," \
        "\"most_aqi\":%d}", s, time_text(3600 * from), time_text(3600 * h), h - from, top)
      from = 0
    }
  }
}

function is_broken(s, what, h) {
  return (s, what) in broken_from && h >= broken_from[s, what] && h <= broken_to[s, what]
}

function index_list(s, what,    h, line) {
  for (h = first_hour; h <= last_hour; h++) {
    line = line (h > first_hour ? "," : "") ((s, what, h) in hour_index ? hour_index[s, what, h] : "null")
  }
  return "[" line "]"
}

function means_of(s,    q, what, line) {
  for (q = 1; q <= quantities; q++) {
    what = quantity[q]
    line = line (q > 1 ? "," : "") "\"" what "\":"
    if (!valid[s, what]) line = line "null"
    else line = line sprintf("{\"hours\":%d,\"mean\":%.6g,\"most\":%.6g}", valid[s, what], \
      summed[s, what] / valid[s, what], most[s, what])
  }
  return "{" line "}"
}

function write_result(file,    i, s, all) {
  printf "{\"samples\":%d,\"late\":%d,\"empty\":%d,\"first_hour\":\"%s\",\"hours\":%d,", samples, late, empty, \
    time_text(3600 * first_hour), last_hour - first_hour + 1 > file
  printf "\"exceedances_found\":%d,\"broken_found\":%d,\n\"stations\":[", exceedances, broken > file
  for (i = 1; i <= stations; i++) {
    s = id[i]
    all += hours_over[s]
    printf "%s\n{\"station\":\"%s\",\"most_aqi\":%d,\"hours_over\":%d,\"means\":%s,", (i > 1 ? "," : ""), s, \
      best_index[s], hours_over[s], means_of(s) > file
    printf "\n\"aqi_pm25\":%s,\n\"aqi_pm10\":%s}", index_list(s, "pm25"), index_list(s, "pm10") > file
  }
  printf "],\n\"exceedances\":[" > file
  for (i = 1; i <= exceedances; i++) printf "%s\n%s", (i > 1 ? "," : ""), exceedance_line[i] > file
  printf "],\n\"broken\":[" > file
  for (i = 1; i <= broken; i++) printf "%s\n%s", (i > 1 ? "," : ""), broken_line[i] > file
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d hours over an index of %g in %d exceedances, %d broken sensors, %d stations, %d samples\n", all, exceed, \
    exceedances, broken, stations, samples
}
