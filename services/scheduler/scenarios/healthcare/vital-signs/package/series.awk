# Makes an ECG (250 Hz), respiration (25 Hz) and oxygen saturation (1 Hz) with planted events; truth=1 prints those instead.
# Wants: seed, count (samples), truth. Uses random.awk, plan.awk.
#
# A heart beat is a sum of five Gaussians, P Q R S T (after McSharry et al., "A dynamical model for generating synthetic
# electrocardiogram signals", 2003). Over it lie baseline wander, mains hum, noise, bursts of muscle noise; electrodes come off.

BEGIN {
  tau = 6.283185307179586
  rate = 250
  seconds = count / rate
  seed_random(seed)
  plan()
  if (truth) { print_truth(); exit }
  shape()
  print "time_ms,ecg_mv,resp,spo2_pct"
  k = 1; g = 1; gauss_next = gauss()
  for (i = 0; i < count; i++) {
    t = i / rate
    printf "%d,%s,%s,%s\n", i * 4, ecg(t), (i % 10 == 0 ? resp(t) : ""), (i % 250 == 0 ? spo2(t) : "")
  }
}

# Place (s), width (s) and height (mV) of the waves: of normal beats, of premature ones from the ventricles.
function shape() {
  wave("n", 1, -0.19, 0.022, 0.14); wave("n", 2, -0.032, 0.009, -0.12); wave("n", 3, 0, 0.011, 1)
  wave("n", 4, 0.034, 0.010, -0.22); wave("n", 5, 0.27, 0.045, 0.28)
  wave("v", 1, -0.19, 0.022, 0); wave("v", 2, -0.07, 0.022, -0.1); wave("v", 3, 0, 0.027, 1.15)
  wave("v", 4, 0.075, 0.026, -0.4); wave("v", 5, 0.31, 0.06, -0.32)
}

function wave(form, n, place, width, height) { at[form, n] = place; wide[form, n] = width; high[form, n] = height }

function ecg(t, value, n) {
  while (k < beats && beat[k] + 0.55 < t) k++
  while (g < gaps && gap_end[g] < t) g++
  if (uniform() < 1 / (40 * rate)) { burst_end = t + between(2, 5); burst = between(0.05, 0.2) }
  if (gaps && t >= gap_start[g] && t < gap_end[g]) return ""
  for (n = k; n <= beats && beat[n] - 0.3 < t; n++) value += waves(form[n], t - beat[n])
  value *= gain * (1 + 0.1 * sin(tau * 0.25 * t))
  value += 0.12 * sin(tau * 0.25 * t) + 0.45 * sin(tau * 0.045 * t + seed) + 0.02 * sin(tau * 50 * t)
  value += (0.025 + (t < burst_end ? burst : 0)) * gauss()
  return sprintf("%.3f", value)
}

function waves(form, away, n, x, sum) {
  for (n = 1; n <= 5; n++) {
    x = (away - at[form, n]) / wide[form, n]
    if (x > -4 && x < 4) sum += high[form, n] * exp(-x * x / 2)
  }
  return sum
}

function resp(t, depth, n) {
  breath_phase += tau / 25 * breath_rate * (1 + 0.12 * sin(tau * t / 31) + 0.05 * gauss())
  depth = 1 + 0.15 * sin(tau * t / 53)
  for (n = 1; n <= stills; n++) if (t > still_start[n] && t < still_end[n]) depth *= still_depth[n]
  if (uniform() < 0.0002) return ""
  return sprintf("%.3f", 0.6 * depth * sin(breath_phase) + 0.3 * sin(tau * t / 67) + 0.03 * gauss())
}

function spo2(t, value, n) {
  spo2_noise = 0.9 * spo2_noise + 0.15 * gauss()
  value = spo2_base + spo2_noise
  for (n = 1; n <= dips; n++) value -= dip_at(n, t)
  if (uniform() < 0.01) value -= between(5, 12)
  if (uniform() < 0.02) return ""
  return int((value > 100 ? 100 : value) + 0.5)
}

# Lead-off, beats, stillness of breath, dips of the saturation, as they would be without noise.
function dip_at(n, t, x) {
  x = t - dip_start[n]
  if (x <= 0 || x >= 24 + dip_hold[n]) return 0
  if (x < 12) return dip_depth[n] * x / 12
  x -= 12 + dip_hold[n]
  return x <= 0 ? dip_depth[n] : dip_depth[n] * (1 - x / 12)
}
