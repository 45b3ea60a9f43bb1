# Watches the squares of a city: sudden sharp sounds and crowd surges. Needs csv, time, order, impulses, surges.

BEGIN { FS = "," }

NR == 1 { csv_header("timestamp square sound_db people"); next }

csv_row() {
  t = csv_time("timestamp")
  s = csv_name("square")
  db = csv_range("sound_db", -20, 200)
  people = csv_range("people", 0, 10000000)
  if (s in last_t && t <= last_t[s]) { late++; next }
  if (!(s in last_t)) id[++squares] = s
  last_t[s] = t
  if (db != "") hear(s, t, db)
  if (people != "") count_people(s, t, people)
  if (db == "" && people == "") empty++
}

END {
  csv_end()
  for (i = 1; i <= squares; i++) {
    end_sound(id[i])
    if (surge_open[id[i]]) close_surge(id[i])
  }
  write_result(result)
}

function write_result(file,    i, s) {
  printf "{\"samples\":%d,\"late\":%d,\"empty\":%d,\"impulses_found\":%d,\"surges_found\":%d,\n\"squares\":[", \
    samples, late, empty, impulses, surges > file
  for (i = 1; i <= squares; i++) {
    s = id[i]
    printf "%s\n{\"square\":\"%s\",\"sounds\":%d,\"leq_db\":%s,\"lmax_db\":%s,", (i > 1 ? "," : ""), s, sounds[s], \
      (sounds[s] ? sprintf("%.1f", 10 * log(energy[s] / sounds[s]) / log(10)) : "null"), \
      (sounds[s] ? sprintf("%.1f", loudest[s]) : "null") > file
    printf "\"counts\":%d,\"people_mean\":%s,\"people_max\":%s,", counts[s], \
      (counts[s] ? sprintf("%.1f", crowd[s] / counts[s]) : "null"), \
      (counts[s] ? sprintf("%d", most_people[s]) : "null") > file
    printf "\"impulses\":%d,\"surges\":%d}", square_impulses[s], square_surges[s] > file
  }
  printf "],\n\"impulses\":[" > file
  for (i = 1; i <= impulses; i++) printf "%s\n%s", (i > 1 ? "," : ""), impulse_line[i] > file
  printf "],\n\"surges\":[" > file
  for (i = 1; i <= surges; i++) printf "%s\n%s", (i > 1 ? "," : ""), surge_line[i] > file
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d sharp sounds and %d crowd surges on %d squares in %d samples\n", impulses, surges, squares, samples
}
