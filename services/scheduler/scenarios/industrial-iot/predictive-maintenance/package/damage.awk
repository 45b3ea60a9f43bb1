# The damage index of one machine, and the form of its growth.

# Fills t_bin[] and h_bin[] (1..bins) with the medians of the index over equal parts of the samples and returns the
# scatter of one bin. The index is the mean of two estimates of damage, each weighted by one over its variance in the
# first fifth of the samples, where the bearing counts as new:
#   vibration    log(rms / base) / log(failure_rms / base): damage makes vibration grow by factors
#   temperature  (temperature - base) / failure_rise
function index_of(m,    n, k, i, list, by_rms, by_heat, base, base_heat, scale, s_rms, s_heat, weight) {
  n = count[m]
  k = int(n / 5)
  for (i = 1; i <= k; i++) list[i] = log(rms[m, i])
  base = median(list, k)
  scale = log(failure_rms) - base
  if (scale < 0.2) scale = 0.2
  s_rms = spread(list, k, base) / scale + 1e-6
  for (i = 1; i <= k; i++) list[i] = celsius[m, i]
  base_heat = median(list, k)
  s_heat = spread(list, k, base_heat) / failure_rise + 1e-6
  weight = 1 / (1 + (s_rms / s_heat) * (s_rms / s_heat))  # of the vibration
  for (i = 1; i <= n; i++) {
    by_rms = (log(rms[m, i]) - base) / scale
    by_heat = (celsius[m, i] - base_heat) / failure_rise
    raw_h[i] = weight * by_rms + (1 - weight) * by_heat
  }
  fill_bins(m, n)
  return sqrt(weight) * s_rms / sqrt(n / bins)  # sqrt(w s1^2) is the scatter of the weighted mean
}

function fill_bins(m, n,    b, i, from, to, list, times) {
  bins = n < 4 * bins_max ? int(n / 4) : bins_max
  for (b = 1; b <= bins; b++) {
    from = int((b - 1) * n / bins) + 1
    to = int(b * n / bins)
    times = 0
    for (i = from; i <= to; i++) {
      list[i - from + 1] = raw_h[i]
      times += hours[m, i]
    }
    t_bin[b] = times / (to - from + 1)
    h_bin[b] = median(list, to - from + 1)
  }
}

# Finds where growth of the form g (t - begin)^p begins: the begin, of those between two bins, with the least sum of
# absolute distances from the bins, g by least squares. Sets begin[p], growth[p], misfit[p]; returns the misfit.
function fit_begin(p,    k, b, from, x, sum_xx, sum_xh, g, miss) {
  misfit[p] = 1e300
  for (k = 3; k < bins - 3; k++) {
    from = t_bin[k]
    sum_xx = sum_xh = miss = 0
    for (b = 1; b <= bins; b++) {
      x_bin[b] = x = power_of(t_bin[b] - from, power[p])
      sum_xx += x * x
      sum_xh += x * h_bin[b]
    }
    g = sum_xh / sum_xx
    if (g < 0) g = 0
    for (b = 1; b <= bins; b++) miss += magnitude(h_bin[b] - g * x_bin[b])
    if (miss < misfit[p]) { misfit[p] = miss; begin[p] = from; growth[p] = g }
  }
  return misfit[p] += 1e-9  # so that none is 0
}
