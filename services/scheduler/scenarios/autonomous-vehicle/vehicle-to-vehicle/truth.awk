# check's awk: the result's warnings, one a line; then "# truth" and that CSV. A warning belongs to a planted near miss if both share at
# least 0.4 of the time that both cover. One to one.

BEGIN { FS = "," }

function field(name, rest) {  # of the object on this line
  if (!match($0, "\"" name "\":\"?")) return ""
  rest = substr($0, RSTART + RLENGTH)
  sub(/["},].*/, "", rest)
  return rest
}

{ sub(/\r$/, "") }
$0 == "# truth" { in_truth = 1; header = 1; next }
header { header = 0; next }
in_truth && NF > 2 { start[++plants] = $1; end[plants] = $2; kind[plants] = $4; next }
/"start_ms"/ { find_start[++finds] = field("start_ms") + 0; find_end[finds] = field("end_ms") + 0 }

function shares(f, p, both, all) {
  both = (find_end[f] < end[p] ? find_end[f] : end[p]) - (find_start[f] > start[p] ? find_start[f] : start[p])
  all = (find_end[f] > end[p] ? find_end[f] : end[p]) - (find_start[f] < start[p] ? find_start[f] : start[p])
  return all > 0 && both / all >= 0.4
}

END {
  for (p = 1; p <= plants; p++)
    for (f = 1; f <= finds && !(p in met); f++) if (!(f in used) && shares(f, p)) { used[f] = 1; met[p] = f; hits++ }
  precision = finds ? hits / finds : 0
  recall = plants ? hits / plants : 0
  printf "precision=%.2f recall=%.2f\n", precision, recall
  for (p = 1; p <= plants; p++) if (!(p in met)) printf "missed: %s from %d to %d ms\n", kind[p], start[p], end[p]
  for (f = 1; f <= finds; f++) if (!(f in used)) printf "not planted: from %d to %d ms\n", find_start[f], find_end[f]
  exit !(precision >= 0.9 && recall >= 0.9)
}
