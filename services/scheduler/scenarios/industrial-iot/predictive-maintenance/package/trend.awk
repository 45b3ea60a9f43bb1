# A robust line and its interval, and the time at which it reaches 1.

# Fits the bins after begin[p] as a line in x = (t - begin)^power: the median of the slopes of all pairs (Theil 1950,
# Sen 1968), and the interval of the slope from the ranks that Kendall's S leaves at the wanted confidence (Sen 1968,
# section 3). Sets trend_life, trend_low, trend_high: hours from now until the line reaches 1, and for the bounds until
# the steepest and the flattest line of the interval reach the least and the most damage at which bearings fail (normal
# around 1 with failure_scatter).
function follow_trend(m, p,    b, c, n, pairs, half) {
  n = 0
  for (b = 1; b <= bins; b++) {
    if (t_bin[b] <= begin[p]) continue
    x_tail[++n] = power_of(t_bin[b] - begin[p], power[p])
    h_tail[n] = h_bin[b]
  }
  pairs = 0
  for (b = 1; b < n; b++) {
    for (c = b + 1; c <= n; c++) slope[++pairs] = (h_tail[c] - h_tail[b]) / (x_tail[c] - x_tail[b])
  }
  sort_list(slope, pairs)
  half = z_confidence * sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2 / pairs
  trend_life = life_at(m, p, n, quantile(slope, pairs, 0.5), 1)
  trend_low = life_at(m, p, n, quantile(slope, pairs, half < 0.5 ? 0.5 + half : 1), 1 - z_confidence * failure_scatter)
  trend_high = life_at(m, p, n, quantile(slope, pairs, half < 0.5 ? 0.5 - half : 0), 1 + z_confidence * failure_scatter)
}

# Hours until a line of that slope through the median of the bins reaches the level; at most a hundred years.
function life_at(m, p, n, g, level,    b, list, left) {
  if (g <= 0) return 876000
  for (b = 1; b <= n; b++) list[b] = h_tail[b] - g * x_tail[b]
  left = (level - median(list, n)) / g
  left = begin[p] + power_of(left, 1 / power[p]) - now[m]
  return left < 0 ? 0 : left > 876000 ? 876000 : left
}

# The quantile of the normal distribution for 0.5 <= q < 1 (Abramowitz and Stegun 26.2.23; error below 0.00045).
function normal_quantile(q,    t) {
  t = sqrt(-2 * log(1 - q))
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t)
}
