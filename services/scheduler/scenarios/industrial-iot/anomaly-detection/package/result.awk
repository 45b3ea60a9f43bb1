# Writes the result and says it in one line.

function write_result(file,    i, k, worst, of) {
  printf "{\"samples\":%d,\"late\":%d,\"empty\":%d,\"spread\":%.6g,\"anomalies_found\":%d,\n\"anomalies\":[", \
    samples, late, empty, rest_spread, windows > file
  for (i = 1; i <= windows; i++) {
    worst = first[i]
    for (k = first[i]; k <= last[i]; k++) if (magnitude(rest[k]) > magnitude(rest[worst])) worst = k
    of[kind_of[i]]++
    printf "%s\n{\"kind\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"samples\":%d,", (i > 1 ? "," : ""), kind_of[i], \
      time_text(when[first[i]]), time_text(when[last[i]]), last[i] - first[i] + 1 > file
    printf "\"score\":%.4g,\"worst\":%.6g,\"usual\":%.6g}", score_of[i], value[worst], value[worst] - rest[worst] > file
  }
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d anomalies in %d samples: %d spikes, %d shifts, %d drifts, %d stuck\n", windows, samples, \
    of["spike"], of["shift"], of["drift"], of["stuck"]
}
