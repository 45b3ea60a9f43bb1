# Finds heart beats in an ECG: J. Pan and W. J. Tompkins, "A real-time QRS detection algorithm" (IEEE Trans. Biomed. Eng., 1985).
# Wants: rate (Hz). Calls add_beat(ms) for each beat, in the order of time, and lost_track() where the signal was away.
#
# Band-pass, derivative, square, mean over 150 ms. Of the peaks of that mean, those above a threshold between the running level
# of signal peaks and that of noise peaks are beats. The band-pass is two second-order sections (5 Hz high, 15 Hz low) instead of
# the paper's integer filters, which are made for 200 Hz.

# Second-order Butterworth sections by the bilinear transform (R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filters").
function section(name, hz, high, w, alpha, c, a0) {
  w = 6.283185307179586 * hz / rate
  c = cos(w); alpha = sin(w) / sqrt(2); a0 = 1 + alpha
  b0[name] = (high ? 1 + c : 1 - c) / 2 / a0
  b1[name] = (high ? -1 - c : 1 - c) / a0
  a1[name] = -2 * c / a0; a2[name] = (1 - alpha) / a0
}

function filter(name, x, y) {  # transposed direct form II
  y = b0[name] * x + z1[name]
  z1[name] = b1[name] * x - a1[name] * y + z2[name]
  z2[name] = b0[name] * x - a2[name] * y
  return y
}

function begin_ecg() {
  section("high", 5, 1)
  section("low", 15, 0)
  window = int(0.15 * rate + 0.5)
  kept = int(0.5 * rate)  # of the filtered signal, to look for the R wave in
  delay = int(0.044 * rate + 0.5)  # of both sections, for a narrow QRS
  refractory = int(0.2 * rate); t_wave = int(0.36 * rate); learning = int(2 * rate)
  restart_ecg(0)
}

function restart_ecg(n, i) {
  z1["high"] = z2["high"] = z1["low"] = z2["low"] = y1 = y2 = y3 = y4 = 0
  for (i = 0; i < window; i++) square[i] = 0
  for (i = 0; i < kept; i++) { filtered[i] = 0; slopes[i] = 0 }
  sum = bottom = rising = 0
  first = n; last_qrs = -1; kept_peaks = 0; fresh = 1
}

function add_ecg(n, x, y, slope, i) {  # sample number n
  if (fresh) { offset = x; fresh = 0 }  # without the step from 0
  y = filter("low", filter("high", x - offset))
  slope = (2 * y + y1 - y3 - 2 * y4) / 8
  y4 = y3; y3 = y2; y2 = y1; y1 = y
  filtered[n % kept] = y; slopes[n % kept] = slope < 0 ? -slope : slope
  i = n % window
  sum += slope * slope - square[i]
  square[i] = slope * slope
  find_peak(n, sum / window)
  if (levels && last_qrs >= 0 && n - last_qrs > 1.66 * rr_mean) search_back()
}

# A peak begins when the mean has risen by half of its lowest value and is over when it has fallen to half of its highest.
function find_peak(n, mean) {
  if (!rising) {
    if (mean < bottom) bottom = mean
    else if (mean > 1.5 * bottom) { rising = 1; top = 0 }
  }
  if (!rising) return
  if (mean > top) { top = mean; top_at = n }
  if (mean >= top / 2) return
  rising = 0; bottom = mean
  judge(top_at, top, r_wave(top_at), steepest(top_at))
}

function judge(at, height, r, slope) {
  if (!levels) { learn(at, height, r, slope); return }
  if (last_qrs >= 0 && at - last_qrs < refractory) return
  if (height > noise + (signal - noise) / 4 && !is_t_wave(at, slope)) {
    signal = 0.125 * (height < 4 * signal ? height : 4 * signal) + 0.875 * signal
    accept(at, r, slope)
  } else {
    noise = 0.125 * height + 0.875 * noise
    keep(at, height, r, slope)
  }
}

# The first two seconds teach the levels; then their peaks are judged.
function learn(at, height, r, slope, i, learnt) {
  keep(at, height, r, slope)
  if (height > highest) highest = height
  if (at - first < learning) return
  signal = highest / 2; noise = highest / 20; rr_mean = rate; levels = 1
  learnt = kept_peaks; kept_peaks = 0
  for (i = 1; i <= learnt; i++) judge(peak_at[i], peak_height[i], peak_r[i], peak_slope[i])
}

# Keeps a noise peak for search_back; of more than 20, the highest.
function keep(at, height, r, slope, i, n) {
  if (kept_peaks < 20) n = ++kept_peaks
  else {
    n = 1
    for (i = 2; i <= 20; i++) if (peak_height[i] < peak_height[n]) n = i
    if (peak_height[n] > height) return
  }
  peak_at[n] = at; peak_height[n] = height; peak_r[n] = r; peak_slope[n] = slope
}

function steepest(at, i, m) {  # slope before the peak
  for (i = at; i > at - window && i >= 0; i--) if (slopes[i % kept] > m) m = slopes[i % kept]
  return m
}

function is_t_wave(at, slope) { return last_qrs >= 0 && at - last_qrs < t_wave && slope < last_slope / 2 }

function r_wave(at, i, m, best) {  # where the filtered signal is farthest from 0 around the peak
  m = -1
  for (i = at - window; i <= at; i++)
    if (i >= 0 && filtered[i % kept] * filtered[i % kept] > m) { m = filtered[i % kept] * filtered[i % kept]; best = i }
  return best - delay
}

function accept(at, r, slope, rr) {
  if (last_qrs >= 0) {
    rr = at - last_qrs
    if (rr > 0.5 * rr_mean && rr < 1.66 * rr_mean) rr_mean += (rr - rr_mean) / 8
  }
  last_qrs = at; last_slope = slope; kept_peaks = 0
  add_beat(r * 1000 / rate)
}

# No beat for 1.66 intervals: the highest noise peak was one if it is above half the threshold.
function search_back(i, best) {
  for (i = 1; i <= kept_peaks; i++)
    if (peak_at[i] - last_qrs > t_wave && (!best || peak_height[i] > peak_height[best])) best = i
  if (!best || peak_height[best] < (noise + (signal - noise) / 4) / 2) return
  signal = 0.25 * peak_height[best] + 0.75 * signal
  accept(peak_at[best], peak_r[best], peak_slope[best])
}
