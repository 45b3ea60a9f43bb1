# The usual course of the series, in bins of 1/24 of a period.

function bin_of(t) { return int((t - when[1]) / bin_s) }

# bin[k]: the median of the samples in bin k, where there are some.
function fill_bins(    i, k, m, list) {
  for (i = 1; i <= n; i++) {
    if (m && bin_of(when[i]) != k) { bin[k] = median(list, m); m = 0 }
    k = bin_of(when[i])
    list[++m] = value[i]
  }
  bin[k] = median(list, m)
  bins = k + 1
}

# Takes the bins of the windows that were found out of what says what is usual.
function set_aside(    i, k) {
  for (i = 1; i <= windows; i++) for (k = bin_of(when[first[i]]); k <= bin_of(when[last[i]]); k++) delete bin[k]
  windows = 0
}

# level[k]: the median of the bins at most level_days / 2 periods away. A disturbance shorter than a quarter of that
# hardly moves it.
function find_level(    k, half, size, list, gone) {
  half = int(12 * level_days)
  for (k = 0; k < half && k < bins; k++) if (k in bin) insert(list, ++size, bin[k])
  for (k = 0; k < bins; k++) {
    if (k + half in bin) insert(list, ++size, bin[k + half])
    gone = k - half - 1
    if (gone in bin) remove(list, size--, bin[gone])
    if (size) level[k] = quantile(list, size, 0.5)
    else level[k] = k ? level[k - 1] : value[1]
  }
}

# season[k]: the median of what the same bin of the periods around (season_days of them) has over its level.
function find_season(    k, d, half, m, list) {
  half = int(season_days / 2)
  for (k = 0; k < bins; k++) {
    m = 0
    for (d = -half; d <= half; d++) if (k + 24 * d in bin) list[++m] = bin[k + 24 * d] - level[k + 24 * d]
    season[k] = m ? median(list, m) : 0
  }
}

# What is usual at a time: between the middles of two bins, linear.
function usual(t,    at, k, share) {
  at = (t - when[1]) / bin_s - 0.5
  k = at < 0 ? 0 : int(at)
  if (k > bins - 2) k = bins - 2
  share = at - k
  if (share < 0) share = 0
  if (share > 1) share = 1
  return (level[k] + season[k]) * (1 - share) + (level[k + 1] + season[k + 1]) * share
}

# rest[i]: a sample without what is usual. bin_rest[k]: the mean of a bin's, each cut at 4 spreads, so that no single
# sample decides.
function leave_over(    i, k, list, unit, sum, times, x, m) {
  for (i = 1; i <= n; i++) list[i] = rest[i] = value[i] - usual(when[i])
  unit = spread(list, n, median(list, n))
  for (i = 1; i <= n; i++) {
    k = bin_of(when[i])
    x = rest[i] > 4 * unit ? 4 * unit : rest[i] < -4 * unit ? -4 * unit : rest[i]
    sum[k] += x
    times[k]++
  }
  for (k = 0; k < bins; k++) if (k in times) list[++m] = bin_rest[k] = sum[k] / times[k]
  rest_spread = unit
  bin_centre = median(list, m)
  bin_spread = spread(list, m, bin_centre)
  if (bin_spread <= 0) bin_spread = 1e-9
}
