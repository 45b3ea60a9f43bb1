# check's awk: the result's objects, one a line; then "# truth" and that CSV. A finding belongs to a planted nodule if its centre is
# within the nodule's radius and its area is a quarter to four times the nodule's. One to one.

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
in_truth && NF > 2 { x[++plants] = $1; y[plants] = $2; radius[plants] = $3; contrast[plants] = $4; next }
/"area_px"/ { found_x[++finds] = field("x") + 0; found_y[finds] = field("y") + 0; area[finds] = field("area_px") + 0 }

function belongs(f, p, size) {
  size = area[f] / (3.141592653589793 * radius[p] * radius[p])
  return (found_x[f] - x[p]) ^ 2 + (found_y[f] - y[p]) ^ 2 <= radius[p] ^ 2 && size >= 0.25 && size <= 4
}

END {
  for (p = 1; p <= plants; p++)
    for (f = 1; f <= finds && !(p in met); f++) if (!(f in used) && belongs(f, p)) { used[f] = 1; met[p] = f; hits++ }
  precision = finds ? hits / finds : 0
  recall = plants ? hits / plants : 0
  printf "precision=%.2f recall=%.2f\n", precision, recall
  for (p = 1; p <= plants; p++)
    if (!(p in met)) printf "missed: nodule at %s, %s with radius %s, contrast %s\n", x[p], y[p], radius[p], contrast[p]
  for (f = 1; f <= finds; f++) if (!(f in used)) printf "not planted: at %s, %s with area %s\n", found_x[f], found_y[f], area[f]
  exit !(precision >= 0.9 && recall >= 0.9)
}
