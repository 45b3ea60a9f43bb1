# The three searches. Each one adds windows of sample numbers.

function add_window(kind, from, to, score) {
  kind_of[++windows] = kind
  first[windows] = from
  last[windows] = to
  score_of[windows] = score
}

# Hampel's filter: a sample is a spike when it is more than `spike` spreads from the median of the 13 samples around it,
# where the spread is that of all such distances, and is no less than a third of the spread of what is left over.
function find_spikes(    i, k, m, list, away, all, unit, from) {
  for (i = 1; i <= n; i++) {
    m = 0
    for (k = i - 6; k <= i + 6; k++) if (k >= 1 && k <= n) insert(list, ++m, rest[k])
    all[i] = away[i] = rest[i] - quantile(list, m, 0.5)
  }
  unit = spread(all, n, 0)
  if (unit < rest_spread / 3) unit = rest_spread / 3
  if (unit <= 0) unit = 1e-9
  for (i = 1; i <= n; i++) {
    if (magnitude(away[i]) <= spike * unit) continue
    if (from && i - last[windows] <= 2) {
      last[windows] = i
      if (magnitude(away[i]) / unit > score_of[windows]) score_of[windows] = magnitude(away[i]) / unit
    } else add_window("spike", i, i, magnitude(away[i]) / unit)
    from = 1
  }
}

# Two-sided CUSUM of the bins (Page 1954): the sum of z - allowance, never below 0. A window goes from the bin where the
# sum left 0 to the last one over twice the allowance that made it greater; it is an anomaly when the sum passed
# `decision`. It ends when z stayed below one and a half allowances for 4 bins.
function find_shifts() {
  find_shift(1)
  find_shift(-1)
}

function find_shift(side,    k, z, sum, most, from, to, quiet) {
  for (k = 0; k <= bins; k++) {
    if (k < bins && !(k in bin_rest)) continue
    z = k < bins ? side * (bin_rest[k] - bin_centre) / bin_spread : 0
    quiet = z > 1.5 * allowance ? 0 : quiet + 1
    if (sum <= 0) { from = to = k; most = 0 }
    sum += z - allowance
    if (sum > most) { most = sum; if (z > 2 * allowance) to = k }
    if (sum > 0 && quiet < 4 && k < bins) continue
    if (most > decision) add_shift(from, to, most)
    sum = most = 0
  }
}

function add_shift(from, to, score,    i, low, high) {
  for (i = 1; i <= n && bin_of(when[i]) <= to; i++) {
    if (!low && bin_of(when[i]) >= from) low = i
    high = i
  }
  add_window(grows(from, to) ? "drift" : "shift", low, high, score)
}

# A drift is long and its first third is less than half as far off as its last.
function grows(from, to,    third, k, early, late_part) {
  third = int((to - from + 1) / 3)
  if (third < 2) return 0
  for (k = 0; k < third; k++) {
    if (from + k in bin_rest) early += magnitude(bin_rest[from + k])
    if (to - k in bin_rest) late_part += magnitude(bin_rest[to - k])
  }
  return early < late_part / 2
}

# A sensor is stuck while its samples stay within a twentieth of the usual step between two samples, for `stuck_min`
# minutes or more.
function find_stuck(    i, list, unit, from) {
  for (i = 2; i <= n; i++) list[i - 1] = value[i] - value[i - 1]
  unit = spread(list, n - 1, median(list, n - 1)) / 20
  from = 1
  for (i = 2; i <= n + 1; i++) {
    if (i <= n && magnitude(value[i] - value[from]) <= unit) continue
    if (when[i - 1] - when[from] >= 60 * stuck_min) add_window("stuck", from, i - 1, i - from)
    from = i
  }
}

# Joins windows that overlap or are at most two bins apart, in the order of time; the kind is that of the longest.
function merge_windows(    i, j, m) {
  for (i = 2; i <= windows; i++) for (j = i; j > 1 && first[j] < first[j - 1]; j--) swap(j, j - 1)
  for (i = 1; i <= windows; i++) {
    if (m && when[first[i]] - when[last[m]] <= 2 * bin_s) {
      if (when[last[i]] - when[first[i]] > when[last[m]] - when[first[m]]) kind_of[m] = kind_of[i]
      if (last[i] > last[m]) last[m] = last[i]
      if (score_of[i] > score_of[m]) score_of[m] = score_of[i]
    } else { m++; if (i != m) swap(i, m) }
  }
  windows = m + 0
}

function swap(a, b,    x) {
  x = kind_of[a]; kind_of[a] = kind_of[b]; kind_of[b] = x
  x = first[a]; first[a] = first[b]; first[b] = x
  x = last[a]; last[a] = last[b]; last[b] = x
  x = score_of[a]; score_of[a] = score_of[b]; score_of[b] = x
}
