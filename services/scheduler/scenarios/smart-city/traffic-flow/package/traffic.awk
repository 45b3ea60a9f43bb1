# Congestion, level of service and incidents from the minutes of loop detectors along a road. Needs csv, time, order,
# congestion, incidents, service.

BEGIN { FS = "," }

NR == 1 { csv_header("timestamp segment km flow occupancy speed"); next }

csv_row() {
  m = int(csv_time("timestamp") / 60)
  s = csv_name("segment")
  k = csv_number("km")
  q = csv_range("flow", 0, 100000)
  o = csv_range("occupancy", 0, 100)
  v = csv_range("speed", 0, 400)
  if (k == "") bad_field("km", "is empty")
  if (!(s in km)) { id[++segments] = s; km[s] = k }
  if (km[s] != k) bad_field("km", "is not where the segment was before: " km[s])
  if (s in last_m && m <= last_m[s]) { late++; next }
  last_m[s] = m
  if (samples == 1 || m < first_minute) first_minute = m
  if (m > last_minute) last_minute = m
  if (last_minute - first_minute > 527040) bad_field("timestamp", "is more than a year from another")
  if (q != "") flow[s, m] = q
  if (o != "") occupancy[s, m] = o
  if (v != "") { speed[s, m] = v; histogram[s, int(v)]++; speeds[s]++ }
}

END {
  csv_end()
  order_segments()
  for (i = 1; i <= segments; i++) {
    find_congestions(id[i])
    rate_service(id[i])
    if (i < segments) find_incidents(id[i], id[i + 1])
  }
  write_result(result)
}

function order_segments(    i, j, x) {  # in the direction of travel
  for (i = 2; i <= segments; i++) {
    for (j = i; j > 1 && km[id[j]] < km[id[j - 1]]; j--) { x = id[j]; id[j] = id[j - 1]; id[j - 1] = x }
  }
}

function write_result(file,    i) {
  printf "{\"samples\":%d,\"late\":%d,\"congestions_found\":%d,\"incidents_found\":%d,\n\"segments\":[", \
    samples, late, congestions, incidents > file
  for (i = 1; i <= segments; i++) printf "%s\n%s", (i > 1 ? "," : ""), segment_line(id[i]) > file
  printf "],\n\"congestions\":[" > file
  for (i = 1; i <= congestions; i++) printf "%s\n%s", (i > 1 ? "," : ""), congestion_line[i] > file
  printf "],\n\"incidents\":[" > file
  for (i = 1; i <= incidents; i++) printf "%s\n%s", (i > 1 ? "," : ""), incident_line[i] > file
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d congestions, %d incidents on %d segments in %d samples\n", congestions, incidents, segments, samples
}
