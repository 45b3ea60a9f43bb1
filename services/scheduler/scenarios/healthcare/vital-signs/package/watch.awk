# Reads the samples, hands each signal on, and writes the result as JSON to stdout and one line for people to descriptor 3.
# Wants: total, rate and the settings of rhythm.awk and slow.awk. Uses those, ecg.awk and input.awk.

BEGIN { FS = ","; begin_ecg() }

NR == 1 { read_header("time_ms,ecg_mv,resp,spo2_pct"); next }

{
  read_line()
  ms = number(1, 0, 1e15)
  if (NR == 2) start_ms = ms
  else if (ms <= last_ms) bad("time_ms", "not after the line before")
  n = int((ms - start_ms) * rate / 1000 + 0.5)
  if ($2 == "") missing++
  else {
    x = number(2, -100, 100)
    if (n - ecg_n > 0.1 * rate) { restart_ecg(n); lost_track() }  # the electrodes were off
    if (n > ecg_n || NR == 2) add_ecg(n, x)
    ecg_n = n
  }
  if ($3 != "") add_resp(ms - start_ms, number(3, -1e6, 1e6))
  if ($4 != "") add_spo2(ms - start_ms, number(4, 0, 100))
  last_ms = ms
  progress(NR - 1)
}

function event(kind, from, to, value) {
  event_kind[++events] = kind; event_start[events] = from; event_end[events] = to; event_value[events] = value
  of_kind[kind]++
}

function per_minute(sum_ms, count) { return count ? sprintf("%.1f", 60000 * count / sum_ms) : "null" }

END {
  check_end()
  if (fallen != "") end_fall(ms - start_ms + 1)
  if (breath_ms != "" && amplitude_known && resp_ms - breath_ms >= 1000 * apnoea_s)
    event("apnoea", breath_ms, resp_ms, (resp_ms - breath_ms) / 1000)
  printf "{\"samples\":%d,\"seconds\":%.1f,\"ecg_missing\":%d,\n", NR - 1, (ms - start_ms) / 1000, missing
  printf "\"heart_rate_per_min\":{\"mean\":%s,\"min\":%s,\"max\":%s},\n", per_minute(rr_sum, rr_count),
    (rate_min ? sprintf("%.1f", rate_min) : "null"), (rate_max ? sprintf("%.1f", rate_max) : "null")
  printf "\"respiration_per_min\":%s,\n", per_minute(breath_sum, breaths)
  printf "\"spo2_pct\":{\"mean\":%s,\"min\":%s},\n", (spo2_count ? sprintf("%.1f", spo2_sum / spo2_count) : "null"),
    (lowest_spo2 == "" ? "null" : lowest_spo2)
  printf "\"episodes\":["
  for (i = 1; i <= events; i++)
    printf "%s\n{\"kind\":\"%s\",\"start_ms\":%.0f,\"end_ms\":%.0f,\"value\":%.2f}", (i > 1 ? "," : ""), event_kind[i],
      start_ms + event_start[i], start_ms + event_end[i], event_value[i]
  printf "],\n\"beats_ms\":["
  for (i = 1; i <= beats; i++) printf "%s%.0f", (i > 1 ? "," : ""), start_ms + beat[i]
  print "]}"
  printf "%d beats in %d samples, %s per minute; %d premature, %d pauses, %d apnoeas, %d desaturations\n", beats, NR - 1,
    per_minute(rr_sum, rr_count), of_kind["premature"], of_kind["pause"], of_kind["apnoea"], of_kind["desaturation"] | "cat 1>&3"
  close("cat 1>&3")
}
