# Scores each line of readings, follows each patient's score, raises and clears alarms, and writes the result as JSON to stdout.
# Wants: total, alarm_at, clear_at, confirm, quiet, trend_s, hold_s. Uses input.awk and news2.awk.
#
# A value that is missing is the patient's newest one that is at most hold_s old; without such a value the line has no score.
# An alarm is raised when `confirm` of the last 2 * confirm - 1 scores are at least alarm_at, and cleared when the last `quiet` scores
# are all at most clear_at: the gap between both limits keeps it from flickering (a Schmitt trigger). The trend is the slope of the
# least-squares line through the scores of the last trend_s seconds.

BEGIN { FS = "," }

NR == 1 { read_header("time_s,patient,respiration,spo2,scale,oxygen,systolic,pulse,consciousness,temperature"); next }

{
  read_line()
  who = $2
  if (who !~ /^[A-Za-z0-9_.-]+$/) bad("patient", "not a name of letters, digits, _ . -: \"" substr(who, 1, 40) "\"")
  time = number(1, 0, 1e12)
  if (!(who in newest)) order[++patients] = who
  else if (time <= newest[who]) bad("time_s", "not after the patient's line before")
  newest[who] = time
  keep(3, 0, 100); keep(4, 0, 100); keep_scale(); keep_oxygen()
  keep(7, 0, 350); keep(8, 0, 350); keep_consciousness(); keep_temperature()
  add_score(score_now())
  progress(NR - 1)
}

# The newest value of field `at`, with its time.
function keep(at, low, high) { if ($at != "") set(at, whole(at, low, high)) }
function set(at, value) { last[who, at] = value; last_time[who, at] = time }
function keep_scale() { if (whole(5, 1, 2)) last[who, 5] = $5 }
function keep_oxygen() { if ($6 != "") set(6, whole(6, 0, 1)) }
function keep_temperature() { if ($10 != "") set(10, int(number(10, 20, 45) * 10 + 0.5)) }
function keep_consciousness() {
  if ($9 == "") return
  if ($9 !~ /^[ACVPU]$/) bad("consciousness", "not one of A C V P U: \"" substr($9, 1, 40) "\"")
  set(9, $9)
}

function score_now(at) {  # -1: a value is missing; sets worst
  for (at = 3; at <= 10; at++)
    if (at != 5 && (!((who, at) in last) || time - last_time[who, at] > hold_s)) return -1
  return news2(last[who, 3], last[who, 4], last[who, 5], last[who, 6], last[who, 7], last[who, 8], last[who, 9], last[who, 10])
}

function add_score(score) {
  add_text(score < 0 ? "null" : score)
  if (score < 0) { unscored++; return }
  scored++
  at_end = ++seen[who]
  value[who, at_end] = score; at_time[who, at_end] = time; single[who] = worst
  forget()
  if (who in alarm) follow_alarm(score)
  else if (enough()) raise_alarm()
}

function add_text(text, piece) {  # pieces, so that a long series does not copy itself for each score
  piece = int(texts[who] / 500)
  scores[who, piece] = scores[who, piece] (texts[who] ? "," : "") text
  texts[who]++
}

function forget(least) {  # what neither the trend nor the alarm looks at any more
  least = at_end - 2 * confirm + 1
  while (oldest[who] < least && at_time[who, oldest[who] + 1] <= time - trend_s) {
    oldest[who]++
    delete value[who, oldest[who]]
    delete at_time[who, oldest[who]]
  }
}

function enough(i, high) {
  for (i = at_end; i > at_end - 2 * confirm + 1 && i > 0; i--)
    if (value[who, i] >= alarm_at) { high++; first_high = i }
  return high >= confirm
}

function raise_alarm(i) {
  alarm[who] = ++alarms
  patient[alarms] = who
  begin[alarms] = at_time[who, first_high]; raised[alarms] = time; end[alarms] = time; slope[alarms] = trend(who)
  for (i = first_high; i <= at_end; i++) if (value[who, i] > peak[alarms]) peak[alarms] = value[who, i]
  peak_single[alarms] = worst
  calm[who] = 0
}

function follow_alarm(score, a) {
  a = alarm[who]
  if (score >= alarm_at) end[a] = time
  if (score > peak[a]) peak[a] = score
  if (worst > peak_single[a]) peak_single[a] = worst
  calm[who] = score <= clear_at ? calm[who] + 1 : 0
  if (calm[who] >= quiet) delete alarm[who]
}

function trend(who, i, n, t, x, st, sx, stt, stx) {  # points per hour
  for (i = seen[who]; i > oldest[who] && at_time[who, i] > newest[who] - trend_s; i--) {
    t = (at_time[who, i] - newest[who]) / 3600; x = value[who, i]
    n++; st += t; sx += x; stt += t * t; stx += t * x
  }
  if (n < 3 || n * stt - st * st <= 0) return 0
  return (n * stx - st * sx) / (n * stt - st * st)
}

END {
  check_end()
  split("none low single-parameter urgent emergency", level_name, " ")
  printf "{\"samples\":%d,\"patients\":%d,\"scored\":%d,\"unscored\":%d,", NR - 1, patients, scored, unscored
  printf "\"alarm_at\":%d,\"clear_at\":%d,\"hold_s\":%d,\n\"alarms\":[", alarm_at, clear_at, hold_s
  for (i = 1; i <= alarms; i++) {
    ongoing = (patient[i] in alarm) && alarm[patient[i]] == i ? "true" : "false"
    printf "%s\n{\"patient\":\"%s\",\"start_s\":%.0f,\"raised_s\":%.0f,\"end_s\":%.0f,\"ongoing\":%s,", (i > 1 ? "," : ""),
      patient[i], begin[i], raised[i], end[i], ongoing
    printf "\"peak\":%d,\"level\":\"%s\",\"trend_per_h\":%.2f}", peak[i], level_name[level_of(peak[i], peak_single[i]) + 1], slope[i]
  }
  write_triage()
  print "],\n\"scores\":["
  for (i = 1; i <= patients; i++) {
    printf "{\"patient\":\"%s\",\"values\":[", order[i]
    for (piece = 0; (order[i], piece) in scores; piece++) printf "%s", scores[order[i], piece]
    print (i < patients ? "]}," : "]}]}")
  }
  say_briefly()
}

function say_briefly(i, on) {  # to file descriptor 3: stdout is the result
  for (i = 1; i <= patients; i++) on += (order[i] in alarm)
  printf "%d alarms (%d ongoing) of %d patients in %d samples; first: %s (%s)\n", alarms, on, patients, NR - 1, queue[1],
    level_name[level[queue[1]] + 1] | "cat 1>&3"
  close("cat 1>&3")
}
