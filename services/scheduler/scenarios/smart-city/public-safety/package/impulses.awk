# Sharp sounds in a series of sound levels. A shot rises at once and then falls as the meter's time weighting lets it
# ("fast", 125 ms: 34.7 dB per second, IEC 61672-1; with echoes slower). A sample is one when
#   rise    it is `rise` dB over the sample before, and that is 60 percent of the height or more: voices and vehicles
#           swell
#   height  it is over the median of the 4 seconds before by `height` dB and by 4 spreads of them (music has a wide
#           spread)
#   tail    the next sample is still over the two before by a quarter of the height and a spread: a glitch of the meter
#           has no tail
#   fall    within a second the level falls by 7 dB (a horn or a siren stays), and the median of the time from 6 to 8 s
#           later is lower by 45 percent of the height (music that begins stays, a series of shots ends)
# Sounds of one square less than 3 s apart are one event. The tests need the 8 s that come after, so they lag by that.

# A gap in the sound of more than 2 s starts anew.
function hear(s, t, db) {
  sounds[s]++
  energy[s] += exp(db * 0.2302585)
  if (sounds[s] == 1 || db > loudest[s]) loudest[s] = db
  if (sounds[s] > 1 && t - heard_t[s] > 2) { end_sound(s); heard[s] = 0 }
  heard_t[s] = t
  level[s, ++heard[s]] = db
  when[s, heard[s]] = t
  learn_step(s, t)
  if (s in ahead && heard[s] > ahead[s]) judge(s, heard[s] - ahead[s])
}

# The samples in 1 s, 8 s and 4 s, from the first step seen. The step is that of the series, so it is learned once.
function learn_step(s, t,    step) {
  if (s in ahead || heard[s] < 2) return
  step = t - when[s, 1]
  soon[s] = step < 1 ? int(1 / step + 0.5) : 1
  ahead[s] = step < 2 ? int(8 / step + 0.5) : 4
  back[s] = step < 0.4 ? int(4 / step + 0.5) : 10
}

function judge(s, c) {
  if (c > back[s] + 2 && level[s, c] - level[s, c - 1] >= rise) measure(s, c, level[s, c])
  delete level[s, c - back[s] - 3]
  delete when[s, c - back[s] - 3]
}

function measure(s, c, x,    over, tail) {
  look_back(s, c)
  over = x - past_median
  tail = level[s, c + 1] - (level[s, c - 1] + level[s, c - 2]) / 2
  if (over < height || over < 4 * past_spread || x - level[s, c - 1] < 0.6 * over) return
  if (tail < 0.25 * over + past_spread) return
  if (x - least_level(s, c + 1, c + soon[s]) < 7 || x - later_median(s, c) < 0.45 * over) return
  note_impulse(s, when[s, c], x, over)
}

function least_level(s, from, to,    least) {
  for (least = level[s, from]; from <= to; from++) if (level[s, from] < least) least = level[s, from]
  return least
}

function later_median(s, c,    i, n, list) {
  for (i = c + int(0.75 * ahead[s]); i <= c + ahead[s]; i++) list[++n] = level[s, i]
  return median(list, n)
}

# Only a sample that rises enough is worth it: sorts the 4 s before it.
function look_back(s, c,    i, n, list) {
  for (i = c - 1 - back[s]; i < c - 1; i++) list[++n] = level[s, i]
  past_median = median(list, n)
  # the standard deviation of normal noise, from the lower side only: a siren before it does not matter
  past_spread = (past_median - quantile(list, n, 0.1)) / 1.2816
}

function note_impulse(s, t, x, over) {
  if (burst[s] && t - burst_to[s] >= 3) close_impulse(s)
  if (!burst[s]) { burst_from[s] = t; burst_peak[s] = x; burst_height[s] = 0 }
  burst[s]++
  burst_to[s] = t
  if (x > burst_peak[s]) burst_peak[s] = x
  if (over > burst_height[s]) burst_height[s] = over
}

function close_impulse(s) {
  square_impulses[s]++
  impulse_line[++impulses] = sprintf("{\"square\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"sounds\":%d," \
    "\"peak_db\":%.1f,\"height_db\":%.1f}", s, time_text(burst_from[s]), time_text(burst_to[s]), burst[s], \
    burst_peak[s], burst_height[s])
  burst[s] = 0
}

function end_sound(s) { if (burst[s]) close_impulse(s) }
