# check's awk: the result's objects and arrays, one a line; then "# truth" and that CSV.
#
# A beat belongs to a planted one if they are at most 75 ms apart; a premature beat, if at most 150 ms; an episode with a length, if
# both are of one kind and share at least 0.4 of the time that both cover. One to one.

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
in_truth && $1 == "beat" { planted_beat[++planted_beats] = $2; next }
in_truth && NF > 2 { kind[++plants] = $1; start[plants] = $2; end[plants] = $3; next }
/"kind"/ { found[++finds] = field("kind"); find_start[finds] = field("start_ms") + 0; find_end[finds] = field("end_ms") + 0 }
/"beats_ms":\[/ {
  sub(/.*"beats_ms":\[/, ""); sub(/\].*/, "")
  found_beats = split($0, found_beat, ",")
}

function match_beats(f, p) {  # both are sorted
  f = p = 1
  while (f <= found_beats && p <= planted_beats) {
    if (found_beat[f] < planted_beat[p] - 75) f++
    else if (found_beat[f] > planted_beat[p] + 75) { if (++noted <= 10) note = note "missed: beat at " planted_beat[p] "\n"; p++ }
    else { beat_hits++; f++; p++ }
  }
}

function shares(f, p, both, all) {
  if (found[f] != kind[p]) return 0
  if (kind[p] == "premature") return find_start[f] - start[p] <= 150 && start[p] - find_start[f] <= 150
  both = (find_end[f] < end[p] ? find_end[f] : end[p]) - (find_start[f] > start[p] ? find_start[f] : start[p])
  all = (find_end[f] > end[p] ? find_end[f] : end[p]) - (find_start[f] < start[p] ? find_start[f] : start[p])
  return all > 0 && both / all >= 0.4
}

function part(hits, of) { return of ? hits / of : 0 }
function lower(a, b) { return a < b ? a : b }

END {
  match_beats()
  for (p = 1; p <= plants; p++)
    for (f = 1; f <= finds && !(p in met); f++) if (!(f in used) && shares(f, p)) { used[f] = 1; met[p] = f; hits++ }
  precision = lower(part(beat_hits, found_beats), part(hits, finds))
  recall = lower(part(beat_hits, planted_beats), part(hits, plants))
  printf "precision=%.2f recall=%.2f\n", precision, recall
  printf "beats: precision %.3f recall %.3f of %d; episodes: precision %.2f recall %.2f of %d\n", part(beat_hits, found_beats),
    part(beat_hits, planted_beats), planted_beats, part(hits, finds), part(hits, plants), plants
  printf "%s", note
  for (p = 1; p <= plants; p++) if (!(p in met)) printf "missed: %s from %d to %d ms\n", kind[p], start[p], end[p]
  for (f = 1; f <= finds; f++)
    if (!(f in used)) printf "not planted: %s from %d to %d ms\n", found[f], find_start[f], find_end[f]
  exit !(precision >= 0.9 && recall >= 0.9)
}
