# Finds the anomalous windows of one series. Needs csv, time, order, season, windows, result.
# What is usual at a time is a level (running median over days) plus a season (running median of the same time of day);
# what is left over is looked at in three ways: spikes (Hampel's filter), shifts and drifts (CUSUM), a sensor that
# stands still.

BEGIN { FS = "," }

NR == 1 { csv_header("timestamp value"); next }

csv_row() {
  t = csv_time("timestamp")
  x = csv_number("value")
  if (x == "") { empty++; next }
  if (n && t <= when[n]) { late++; next }
  if (n && t - when[1] > 2500 * 60 * period_min) bad_field("timestamp", "is more than 2500 periods from the first")
  when[++n] = t
  value[n] = x
}

END {
  csv_end()
  bin_s = period_min * 60 / 24
  if (n < 50 || when[n] - when[1] < 48 * bin_s) {
    bad_input("line " NR ", field timestamp", "the series is shorter than two periods")
  }
  fill_bins()
  look()
  find_shifts()
  set_aside()  # a long disturbance pulls at the level: a second look without it
  look()
  find_spikes()
  find_shifts()
  find_stuck()
  merge_windows()
  write_result(result)
}

function look() {
  find_level()
  find_season()
  leave_over()
}
