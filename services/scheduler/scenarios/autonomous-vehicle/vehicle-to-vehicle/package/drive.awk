# Follows the own track, sends beacons, hears the peer's, warns; writes the result as JSON to stdout. Wants: total, vehicle, lag_ms,
# move_m, turn_deg, change_mps, beacon_ms. Uses input.awk, mail.awk, closest.awk.
#
# A beacon is sent when the vehicle has moved, turned or changed its speed enough since the last one, or after beacon_ms: the rules of
# ETSI EN 302 637-2 (Cooperative Awareness Messages). A moment is judged lag_ms after it, which is at least beacon_ms: by
# then the peer has sent all that it will say of that moment, so that the result is the same whether both vehicles drive at
# once or the messages were all there before. Each sends before it waits, so that two that wait for each other both go on.

BEGIN { FS = "," }

NR == 1 { read_header("time_ms,x_m,y_m,speed_mps,heading_deg"); next }

{
  read_line()
  own_ms = number(1, 0, 1e15)
  if (NR > 2 && own_ms <= sample_ms[last]) bad("time_ms", "not after the line before")
  sample_ms[++last] = own_ms
  x[last] = number(2, -1e7, 1e7); y[last] = number(3, -1e7, 1e7)
  speed[last] = number(4, 0, 150); heading[last] = number(5, 0, 360)
  if (last == 1 || beacon_is_due()) send_beacon()
  judge_until(own_ms - lag_ms)
  progress(NR - 1)
}

function beacon_is_due(turned) {
  turned = heading[last] - beacon_heading
  if (turned < 0) turned = -turned
  if (turned > 180) turned = 360 - turned
  return own_ms - beacon_at >= beacon_ms || turned > turn_deg || differ(speed[last], beacon_speed) > change_mps ||
    (x[last] - beacon_x) ^ 2 + (y[last] - beacon_y) ^ 2 > move_m ^ 2
}

function differ(a, b) { return a > b ? a - b : b - a }

function send_beacon() {
  beacon_at = own_ms; beacon_x = x[last]; beacon_y = y[last]; beacon_speed = speed[last]; beacon_heading = heading[last]
  send(sprintf("\"x_m\":%.2f,\"y_m\":%.2f,\"speed_mps\":%.2f,\"heading_deg\":%.1f", x[last], y[last], speed[last], heading[last]))
}

function judge_until(ms) {
  while (judged < last && sample_ms[judged + 1] <= ms) {
    judged++
    hear(sample_ms[judged])
    judge(sample_ms[judged], x[judged], y[judged], speed[judged], heading[judged])
    delete sample_ms[judged - 1]; delete x[judged - 1]; delete y[judged - 1]; delete speed[judged - 1]; delete heading[judged - 1]
  }
}

# Sets the peer's state at the moment `ms`. Reads until the peer is known up to there, or ended, or is silent.
function hear(ms) {
  while (holding || (holding = more_mail(ms))) {
    if (next_ms > ms) return
    holding = 0
    if (next_end != "" || (peer_ms != "" && next_ms <= peer_ms)) continue
    peer_ms = next_ms; peer_x = next_x + 0; peer_y = next_y + 0; peer_speed = next_speed + 0; peer_heading = next_heading + 0
  }
}

function more_mail(ms) {
  if (reading != "" && fetch()) return 1
  if (peer_ended || (newest_ms != "" && newest_ms >= ms)) return 0
  if (silent && (wait_s == 0 || ms - looked_ms < 10000)) return 0  # each look starts a program
  looked_ms = ms
  return fetch() || wait_for_mail()
}

END {
  check_end()
  send("\"end\":true")
  judge_until(own_ms)
  progress(total)
  printf "{\"vehicle\":%d,\"samples\":%d,\"peer\":%s,\"peer_ended\":%s,\n", vehicle, NR - 1, (peer == "" ? "null" : peer),
    (peer_ended ? "true" : "false")
  printf "\"sent\":%d,\"heard\":%d,\"lost\":%.0f,\"late\":%d,\"repeated\":%d,\"malformed\":%d,\"foreign\":%d,\n", sent, heard, lost, late,
    repeated, malformed, foreign
  printf "\"unknown_samples\":%d,\"waited_s\":%.1f,\"closest_m\":%s,\n\"warnings\":[", unknown, waited,
    (lowest == "" ? "null" : sprintf("%.2f", lowest))
  for (i = 1; i <= warnings; i++)
    printf "%s\n{\"start_ms\":%.0f,\"end_ms\":%.0f,\"ahead_s\":%.2f,\"closest_m\":%.2f,\"distance_m\":%.2f}", (i > 1 ? "," : ""),
      start[i], end[i], ahead[i], closest[i], nearest[i]
  print "]}"
  printf "%d warnings in %d samples; %d messages sent, %d heard, %.0f lost\n", warnings, NR - 1, sent, heard, lost | "cat 1>&3"
  close("cat 1>&3")
}
