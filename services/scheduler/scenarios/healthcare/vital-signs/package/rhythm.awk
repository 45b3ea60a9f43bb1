# What the times of the beats say: heart rate, premature beats, pauses. Wants: premature (part of the usual interval), pause_s.
#
# A beat is premature if its interval is shorter than `premature` of the usual one (the median of the last 8 intervals that
# were usual) and the next one is not short, too: a false beat between two true ones makes two short intervals that sum to one.

function add_beat(ms) {
  beat[++beats] = ms
  if (tracked) add_interval(ms - previous)
  previous = ms; tracked = 1
}

function lost_track() { tracked = suspects = 0 }

function add_interval(rr, usual) {
  usual = usual_interval()
  if (rr < 1000 * pause_s) { rr_sum += rr; rr_count++ }
  if (suspects) {
    if (suspect_rr + rr > 1.5 * suspect_usual) event("premature", previous, previous, suspect_rr / suspect_usual)
    suspects = 0
  }
  if (rr >= 1000 * pause_s) { event("pause", previous, previous + rr, rr / 1000); return }
  if (!usual) { add_usual(rr); return }
  if (rr < premature * usual) { suspects = 1; suspect_rr = rr; suspect_usual = usual }
  else if (rr < 1.25 * usual) add_usual(rr)
  else if (++strange > 8) { intervals = strange = 0 }  # the rhythm has changed: begin again
}

function add_usual(rr) {
  strange = 0
  usual_rr[intervals++ % 8] = rr
  if (intervals < 4) return
  usual = 60000 / usual_interval()
  if (!rate_min || usual < rate_min) rate_min = usual
  if (usual > rate_max) rate_max = usual
}

function usual_interval(n, i, j, x) {  # 0: not known yet
  n = intervals < 8 ? intervals : 8
  if (n < 4) return 0
  for (i = 0; i < n; i++) {
    x = usual_rr[i]
    for (j = i; j > 0 && sorted[j - 1] > x; j--) sorted[j] = sorted[j - 1]
    sorted[j] = x
  }
  return (sorted[int((n - 1) / 2)] + sorted[int(n / 2)]) / 2
}
