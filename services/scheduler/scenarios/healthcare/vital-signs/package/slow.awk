# Breath and oxygen saturation. Wants: apnoea_s, drop (percent points), drop_s.

# A breath is a crossing from below -0.2 to above 0.2 of the usual amplitude, about a slow mean. Between two breaths
# apnoea_s or more apart there was none.
function add_resp(ms, x, y) {
  if (resp_ms == "" || ms - resp_ms > 2000) { resp_mean = x; low = high = 0; breath_ms = ""; amplitude_known = 0 }
  resp_step = ms - resp_ms
  resp_ms = ms
  resp_mean += (x - resp_mean) * (resp_step > 0 && resp_step < 2000 ? resp_step / 3000 : 0)
  y = x - resp_mean
  if (!amplitude_known) { learn_amplitude(ms, y); return }
  if (y < low) low = y
  if (y > high) high = y
  if (y < -0.2 * amplitude) below = 1
  if (!below || y < 0.2 * amplitude) return
  below = 0
  add_breath(ms)
}

function learn_amplitude(ms, y) {
  if (breath_ms == "") breath_ms = ms
  if (y < low) low = y
  if (y > high) high = y
  if (ms - breath_ms < 10000) return
  amplitude = (high - low) / 2; amplitude_known = 1; below = low = high = 0
  breath_ms = ""
}

function add_breath(ms) {
  if (breath_ms != "") {
    if (ms - breath_ms >= 1000 * apnoea_s) event("apnoea", breath_ms, ms, (ms - breath_ms) / 1000)
    else { breath_sum += ms - breath_ms; breaths++; amplitude += ((high - low) / 2 - amplitude) / 8 }
  }
  low = high = 0
  breath_ms = ms
}

# A desaturation: the median of 5 values is `drop` or more below the baseline for drop_s or longer. It is over when it is within half
# of that. The baseline is a mean of about two minutes that a fall does not pull down.
function add_spo2(ms, x, m) {
  spo2_sum += x; spo2_count++
  recent[spo2_seen++ % 5] = x
  if (spo2_seen < 5) return
  m = median_of_5()
  if (baseline == "") baseline = m
  if (m < lowest_spo2 || lowest_spo2 == "") lowest_spo2 = m
  if (m > baseline - 2) baseline += (m - baseline) * (m > baseline ? 0.05 : 0.015)
  if (fallen == "") {
    if (m <= baseline - drop) { fallen = ms; nadir = m; back = "" }
    return
  }
  if (m < nadir) nadir = m
  if (m > baseline - drop / 2) { end_fall(ms); return }
  if (m <= baseline - drop + 0.5) back = ms
}

function end_fall(ms) {
  if (back == "") back = fallen
  if (back - fallen >= 1000 * drop_s) event("desaturation", fallen - 2000, back - 2000, nadir)  # the median is 2 s late
  fallen = ""
}

function median_of_5(i, j, x) {
  for (i = 0; i < 5; i++) {
    x = recent[i]
    for (j = i; j > 0 && sorted5[j - 1] > x; j--) sorted5[j] = sorted5[j - 1]
    sorted5[j] = x
  }
  return sorted5[2]
}
