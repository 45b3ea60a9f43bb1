# FLAT TRUTH: the lines of flatten-json.awk and the truth machine,failure_h,life_h. Needs order.awk. See check.

FILENAME == ARGV[1] {
  split($0, pair, "\t")
  split(pair[1], part, ".")
  if (part[1] == "horizon_h") horizon = pair[2]
  if (part[1] == "maintenance") { named[pair[2]] = 1; found++ }
  if (part[1] == "machines") told[part[2], part[3]] = pair[2]
  if (part[3] == "machine") at[pair[2]] = part[2]
  next
}

FNR == 1 { FS = ","; next }

{
  split($0, field, ",")
  m = field[1]
  life = field[3]
  if (life <= horizon) {
    due++
    if (m in named) right++
    else said[++notes] = "missed: " m " with " life " h left; told " told[at[m], "life_h"]
  } else if (m in named) said[++notes] = "wrong: " m " with " life " h left; told " told[at[m], "life_h"]
  estimate = m in at ? told[at[m], "life_h"] : "null"
  if (life <= 2 * horizon) error[++n] = estimate == "null" ? 1 : magnitude(estimate - life) / life
  if (estimate == "null" || life > 2 * horizon) next
  intervals++
  if (told[at[m], "life_low_h"] <= life + 0 && told[at[m], "life_high_h"] >= life + 0) held++
}

END {
  precision = found ? right / found : 0
  recall = due ? right / due : 0
  middle = n ? median(error, n) : 1
  printf "precision=%.2f recall=%.2f error=%.3f found=%d planted=%d held=%.2f\n", precision, recall, middle, found,
    due, \
    intervals ? held / intervals : 0
  good = precision >= 0.9 && recall >= 0.9 && middle <= 0.3
  if (!good) for (i = 1; i <= notes; i++) print said[i]
  exit !good
}
