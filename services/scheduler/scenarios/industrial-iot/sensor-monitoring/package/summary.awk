# What is told of each sensor, and the result.

# step: seconds since the sample before. Gaps are counted once the usual step is known.
function note_sample(s, t, x, step,    n) {
  n = ++count[s]
  sample[s, n] = x
  if (n == 1 || x < least[s]) least[s] = x
  if (n == 1 || x > most[s]) most[s] = x
  mean[s] += (x - mean[s]) / n
  if (learned[s] && step > 2.5 * usual_step[s]) {
    gaps[s]++
    lost_s[s] += step - usual_step[s]
  }
}

function p95(s,    i, list) {
  for (i = 1; i <= count[s]; i++) list[i] = sample[s, i]
  sort_list(list, count[s])
  return quantile(list, count[s], 0.95)
}

function write_result(file,    i, s, gone) {
  printf "{\"samples\":%d,\"late\":%d,\"empty\":%d,\"excursions_found\":%d,\n\"sensors\":[", \
    samples, late, empty, found > file
  for (i = 1; i <= sensors; i++) {
    s = id[i]
    printf "%s\n{\"sensor\":\"%s\",\"samples\":%d,\"min\":%.10g,\"max\":%.10g,\"mean\":%.10g,\"p95\":%.10g,",
      (i > 1 ? "," : ""), s, count[s], least[s], most[s], mean[s], p95(s) > file
    printf "\"gaps\":%d,\"lost_s\":%.3f,\"excursions\":%d}", gaps[s], lost_s[s], by_sensor[s] > file
    gone += gaps[s]
  }
  printf "],\n\"excursions\":[" > file
  for (i = 1; i <= found; i++) printf "%s\n%s", (i > 1 ? "," : ""), line[i] > file
  print "]}" > file
  if (close(file) != 0) exit 1
  printf "%d excursions in %d samples of %d sensors; %d gaps\n", found, samples, sensors, gone
}
