# The order in which patients need somebody: the highest level first; then the higher score, the higher single parameter, the
# faster rise. While an alarm is on, the level is at least that of an alarm (urgent).

function before(a, b) {
  if (level[a] != level[b]) return level[a] > level[b]
  if (now[a] != now[b]) return now[a] > now[b]
  if (single[a] + 0 != single[b] + 0) return single[a] > single[b]
  return rising[a] > rising[b]
}

function write_triage(i, j, who) {
  for (i = 1; i <= patients; i++) {
    who = order[i]
    now[who] = seen[who] ? value[who, seen[who]] : -1
    rising[who] = trend(who)
    level[who] = level_of(now[who], single[who])
    if ((who in alarm) && level[who] < 3) level[who] = 3
    for (j = i; j > 1 && before(who, queue[j - 1]); j--) queue[j] = queue[j - 1]
    queue[j] = who
  }
  printf "],\n\"triage\":["
  for (i = 1; i <= patients; i++) {
    who = queue[i]
    printf "%s\n{\"patient\":\"%s\",\"level\":\"%s\",\"score\":%s,", (i > 1 ? "," : ""), who, level_name[level[who] + 1],
      (now[who] < 0 ? "null" : now[who])
    printf "\"trend_per_h\":%.2f,\"trend\":\"%s\",\"alarm\":%s}", rising[who],
      (rising[who] > 1 ? "rising" : (rising[who] < -1 ? "falling" : "steady")), ((who in alarm) ? "true" : "false")
  }
}
