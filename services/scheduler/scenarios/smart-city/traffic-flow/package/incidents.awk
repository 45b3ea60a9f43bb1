# California algorithm #7 (Payne and Tignor 1978) on a segment and the next one downstream, with the mean occupancy of 3
# minutes:
#   OCCDF   occupancy here minus occupancy downstream
#   OCCRDF  OCCDF as a share of the occupancy here
#   DOCC    occupancy downstream
# State 0 no incident; to 1 (tentative) when OCCDF >= t1 and OCCRDF >= t2 and DOCC <= t3; each minute with OCCRDF >= t2
# goes one further, and at `persist` minutes the incident is confirmed; when OCCRDF < t2 it is over. DOCC tells it from
# a bottleneck: below that the road carries all that it can, below an incident it is nearly empty. So here, beyond #7,
# DOCC must hold until the incident is confirmed, and the incident is also over when DOCC has not held for 4 minutes.
function find_incidents(s, next_s,    m, here, below, share, state, from, to, most, missing) {
  for (m = first_minute; m <= last_minute + 1; m++) {
    here = m <= last_minute ? mean_occupancy(s, m - 2, m) : 0
    below = m <= last_minute ? mean_occupancy(next_s, m - 2, m) : 0
    if ((here == "" || below == "") && ++missing < 10) continue
    missing = 0
    share = here > 0 ? (here - below) / here : 0
    if (state == 0) {
      if (here - below < t1 || share < t2 || below > t3) continue
      state = 1
      from = to = m
      most = here - below
      continue
    }
    if (below <= t3) to = m
    if (share >= t2 && (below <= t3 || state >= persist && m - to < 4)) {
      state++
      if (here - below > most) most = here - below
      continue
    }
    if (state >= persist) note_incident(s, from, share < t2 ? m - 1 : to, most)
    state = 0
  }
}

function note_incident(s, from, to, most) {
  incident_line[++incidents] = sprintf("{\"segment\":\"%s\",\"begin\":\"%s\",\"end\":\"%s\",\"minutes\":%d," \
    "\"most_occdf\":%.1f}", s, time_text(60 * from), time_text(60 * to), to - from, most)
}
