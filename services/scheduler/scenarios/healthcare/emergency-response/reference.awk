# check's awk: the result's objects, one a line; "# truth" and that CSV; "# input" and that CSV.
#
# The score is computed from the table below, which is chart 1 of NEWS2 (Royal College of Physicians, 2017) typed in a
# second time: parameter, points, lowest and highest value. package/news2.awk has it as conditions.

BEGIN {
  FS = ","
  table = "respiration 3 0 8|respiration 1 9 11|respiration 0 12 20|respiration 2 21 24|respiration 3 25 999|" \
    "spo2-1 3 0 91|spo2-1 2 92 93|spo2-1 1 94 95|spo2-1 0 96 100|" \
    "spo2-2-air 3 0 83|spo2-2-air 2 84 85|spo2-2-air 1 86 87|spo2-2-air 0 88 100|" \
    "spo2-2-oxygen 3 0 83|spo2-2-oxygen 2 84 85|spo2-2-oxygen 1 86 87|spo2-2-oxygen 0 88 92|" \
    "spo2-2-oxygen 1 93 94|spo2-2-oxygen 2 95 96|spo2-2-oxygen 3 97 100|oxygen 0 0 0|oxygen 2 1 1|" \
    "systolic 3 0 90|systolic 2 91 100|systolic 1 101 110|systolic 0 111 219|systolic 3 220 999|" \
    "pulse 3 0 40|pulse 1 41 50|pulse 0 51 90|pulse 1 91 110|pulse 2 111 130|pulse 3 131 999|" \
    "temperature 3 0 35.0|temperature 1 35.1 36.0|temperature 0 36.1 38.0|temperature 1 38.1 39.0|temperature 2 39.1 99"
  rows = split(table, row, "|")
  for (i = 1; i <= rows; i++) {
    split(row[i], part, " ")
    parameter[i] = part[1]; worth[i] = part[2]; lowest[i] = part[3] + 0; highest[i] = part[4] + 0
  }
  hold = 900
}

function points(name, x, i) {
  for (i = 1; i <= rows; i++) if (parameter[i] == name && x >= lowest[i] && x <= highest[i]) return worth[i]
  return 1000
}

function field(name, rest) {  # of the object on this line
  if (!match($0, "\"" name "\": *\"?")) return ""
  rest = substr($0, RSTART + RLENGTH)
  sub(/["},].*/, "", rest)
  return rest
}

{ sub(/\r$/, "") }
/^# / { part_of = $0; headers = 1; next }
part_of != "" && headers { headers = 0; next }
part_of == "" && field("hold_s") != "" { hold = field("hold_s") + 0 }
part_of == "" && /"values"/ {
  who = field("patient")
  sub(/.*\[/, ""); sub(/\].*/, "")
  claimed[who] = split($0, values, ",")
  for (i = 1; i <= claimed[who]; i++) claim[who, i] = values[i]
}
part_of == "" && /"start_s"/ {
  found[++finds] = field("patient"); find_start[finds] = field("start_s") + 0; find_end[finds] = field("end_s") + 0
}
part_of == "# truth" { planted[++plants] = $1; start[plants] = $2; end[plants] = $3 }
part_of == "# input" { compare($2) }

function compare(who, i, names, sum, spo2) {
  split("time patient respiration spo2 scale oxygen systolic pulse consciousness temperature", names, " ")
  for (i = 3; i <= 10; i++) if ($i != "") { value[who, i] = $i; since[who, i] = $1 }
  for (i = 3; i <= 10; i++) {
    if (!((who, i) in value) || (i != 5 && $1 - since[who, i] > hold)) sum = "null"
    else if (i != 4 && i != 5 && i != 9 && sum != "null") sum += points(names[i], value[who, i] + 0)
  }
  if (sum != "null") {
    spo2 = value[who, 5] == 1 ? "spo2-1" : "spo2-2-" (value[who, 6] == 1 ? "oxygen" : "air")
    sum += points(spo2, value[who, 4] + 0) + (value[who, 9] == "A" ? 0 : 3)
  }
  lines++; line[who]++
  if (claim[who, line[who]] "" == sum "") return
  if (++wrong <= 5) note = note sprintf("patient %s, line %d: the score is %s, not %s\n", who, line[who], sum, claim[who, line[who]])
}

function shares(f, p, both, all) {
  if (found[f] != planted[p]) return 0
  both = (find_end[f] < end[p] ? find_end[f] : end[p]) - (find_start[f] > start[p] ? find_start[f] : start[p])
  all = (find_end[f] > end[p] ? find_end[f] : end[p]) - (find_start[f] < start[p] ? find_start[f] : start[p])
  return all > 0 && both / all >= 0.3
}

END {
  for (who in line) if (claimed[who] != line[who]) wrong++
  for (p = 1; p <= plants; p++) {
    for (f = 1; f <= finds && !(p in met); f++) if (!(f in used) && shares(f, p)) { used[f] = 1; met[p] = f; hits++ }
  }
  precision = finds ? hits / finds : 0
  recall = plants ? hits / plants : 0
  printf "error=%d precision=%.2f recall=%.2f\n", wrong, precision, recall
  printf "%s", note
  if (!lines || !plants) print "nothing to compare with"
  for (p = 1; p <= plants; p++) if (!(p in met)) printf "missed: %s from %d to %d s\n", planted[p], start[p], end[p]
  for (f = 1; f <= finds; f++)
    if (!(f in used)) printf "false alarm: %s from %d to %d s\n", found[f], find_start[f], find_end[f]
  exit !(lines && plants && wrong == 0 && precision >= 0.9 && recall >= 0.9)
}
