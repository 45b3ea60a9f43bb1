# Plans what happens in a series: sets beats, beat (s), form (n normal, v from a ventricle), gaps, stills, dips and the events.
# Wants: seconds. The plan takes its random numbers before the noise does, so that the truth does not need the samples.

function plan() {
  gain = between(0.7, 1.3)
  pulse = between(60, 84) / 60
  breath_rate = between(12, 18) / 60
  spo2_base = between(95.5, 98)
  plan_gaps()
  plan_beats()
  plan_breath()
}

function event(kind, from, to, value) {
  event_kind[++events] = kind; event_start[events] = from; event_end[events] = to; event_value[events] = value
}

function plan_gaps(t) {  # electrodes come off for some seconds
  for (t = between(50, 120); t + 10 < seconds; t = gap_end[gaps] + between(60, 150)) {
    gap_start[++gaps] = t
    gap_end[gaps] = t + between(2, 5)
  }
}

function near_gap(t, n) {
  for (n = 1; n <= gaps; n++) if (t > gap_start[n] - 8 && t < gap_end[n] + 8) return 1
  return 0
}

function plan_beats(t, rr, u, since, part) {
  for (t = 0.4; t < seconds - 0.1; t += rr) {
    add_beat(t, "n")
    since++
    rr = (1 + 0.04 * sin(tau * 0.25 * t) + 0.03 * sin(tau * t / 47)) * (1 + 0.012 * gauss()) / pulse
    u = uniform()
    if (since < 6 || t < 12 || t > seconds - 8 || near_gap(t) || u > 0.08) continue
    since = 0
    if (u < 0.018) {  # the next beat is late
      rr = between(2.15, 3.4)
      event("pause", t, t + rr, rr)
      continue
    }
    part = between(0.55, 0.8)
    t += rr * part
    event("premature", t, t, part)
    if (u < 0.055) {  # from a ventricle: the sinus node does not notice, and the next beat comes when it would have come
      add_beat(t, "v")
      rr *= 2 - part
    } else {  # from an atrium: the next interval is a normal one
      add_beat(t, "n")
      rr *= between(1, 1.2)
    }
  }
}

function add_beat(t, form_of_beat) { beat[++beats] = t; form[beats] = form_of_beat }

function plan_breath(t, long) {
  for (t = between(35, 60); t + 50 < seconds; t += long + between(55, 90)) {
    long = between(13, 24)
    still_start[++stills] = t; still_end[stills] = t + long
    still_depth[stills] = uniform() < 0.3 ? 0.45 : 0.04  # shallow breath is not apnoea
    if (still_depth[stills] < 0.1) {
      event("apnoea", t, t + long, long)
      if (uniform() < 0.8) add_dip(t + between(10, 16), between(4.2, 9))
    } else if (uniform() < 0.5) add_dip(t + between(10, 16), between(4.2, 9))
    else add_dip(t, between(1, 1.8))
  }
}

function add_dip(t, depth, edge) {
  dip_start[++dips] = t; dip_depth[dips] = depth; dip_hold[dips] = between(10, 20)
  edge = 12 * 3 / depth  # until it has fallen by 3
  if (depth > 3) event("desaturation", t + edge, t + 24 + dip_hold[dips] - edge, spo2_base - depth)
}

function print_truth(n, g, off) {
  print "kind,start_ms,end_ms,value"
  g = 1
  for (n = 1; n <= beats; n++) {
    while (g < gaps && gap_end[g] < beat[n]) g++
    off = gaps && beat[n] > gap_start[g] - 0.05 && beat[n] < gap_end[g] + 0.05
    if (!off) printf "beat,%.0f,%.0f,%d\n", 1000 * beat[n], 1000 * beat[n], (form[n] == "v")
  }
  for (n = 1; n <= events; n++)
    printf "%s,%.0f,%.0f,%.2f\n", event_kind[n], 1000 * event_start[n], 1000 * event_end[n], event_value[n]
}
