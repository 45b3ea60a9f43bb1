# Compares the events that were found with the planted ones: FOUND TRUTH, two files of tab-separated lines
#   FOUND: key begin end      TRUTH: key begin end marginal      (begin and end in seconds)
# A found event matches a planted one of the same key when the two overlap (or are at most `tolerance` seconds apart)
# and the found one is no longer than `stretch` times the planted one plus `slack` seconds. A marginal planted event is
# at the edge of what one calls an event: it is neither missed nor is finding it wrong.
# precision: share of the found events that match (those that match only marginal ones left out).
# recall: share of the planted events, without the marginal ones, that are matched.
# Where nothing is planted that must be found, recall is 1, and so is precision when nothing is found.
# Prints both, then what was missed and what is wrong; exit code 0 when both are at least `least`.

BEGIN { FS = "\t" }

FILENAME == ARGV[1] { found_key[++found] = $1; found_begin[found] = $2; found_end[found] = $3; next }
{ key[++planted] = $1; begin[planted] = $2; end[planted] = $3; marginal[planted] = $4 }

function matches(f, p) {
  return found_key[f] == key[p] && found_begin[f] <= end[p] + tolerance && found_end[f] >= begin[p] - tolerance \
    && found_end[f] - found_begin[f] <= stretch * (end[p] - begin[p]) + slack
}

END {
  for (f = 1; f <= found; f++) {
    sort_of = "wrong"
    for (p = 1; p <= planted; p++) {
      if (!matches(f, p)) continue
      hit[p] = 1
      if (!marginal[p]) sort_of = "right"
      else if (sort_of == "wrong") sort_of = "marginal"
    }
    count[sort_of]++
    if (sort_of == "wrong") said[++notes] = "wrong: " line(found_key[f], found_begin[f], found_end[f])
  }
  for (p = 1; p <= planted; p++) {
    if (marginal[p]) continue
    clear++
    if (hit[p]) caught++
    else said[++notes] = "missed: " line(key[p], begin[p], end[p])
  }
  judged = count["right"] + count["wrong"]
  precision = judged ? count["right"] / judged : !clear
  recall = clear ? caught / clear : 1
  printf "%sprecision=%.2f %srecall=%.2f found=%d planted=%d marginal=%d\n", prefix, precision, prefix, recall, found, \
    clear, planted - clear
  good = precision >= least && recall >= least
  if (!good) for (i = 1; i <= notes && i <= 20; i++) print said[i]
  exit !good
}

function line(name, from, to) { return name " " time_text(from) " to " time_text(to) }
