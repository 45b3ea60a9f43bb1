# check's awk: the result's maps, one a line; "# truth" and that CSV; "# input" and that CSV. Computes each cheapest path another way
# than the job does: Dijkstra's algorithm with buckets (E. Dijkstra, 1959; R. Dial, 1969). No step is cheaper than 1, the width of a
# bucket, so that the cells of one bucket do not change each other. Uses paths.awk. Wants: tolerance.

{ sub(/\r$/, "") }
/^# / { part_of = $0; header = 1; next }
part_of != "" && header { header = 0; next }
part_of == "" && /"map":/ { name = field("map"); result[name] = $0 }
part_of == "# truth" { split($0, value, ","); reachable[value[1]] = value[7]; planted++ }
part_of == "# input" {
  split($0, value, ",")
  if (value[1] != map) { judge(); map = value[1]; rows = 0; split("", price) }
  columns = length(value[3])
  for (c = 0; c < columns; c++) read_cell(rows, c, substr(value[3], c + 1, 1))
  rows++
}

function field(name, rest) {
  if (!match($0, "\"" name "\":")) return ""
  rest = substr($0, RSTART + RLENGTH)
  sub(/[,}].*/, "", rest)
  return rest
}

function read_cell(r, c, text) {
  if (text == "#") return
  price[r, c] = text ~ /[SG]/ ? 1 : text + 0
  if (text == "S") { start_row = r; start_column = c }
  if (text == "G") { goal_row = r; goal_column = c }
}

function free(r, c) { return (r, c) in price }

function may_step(r, c, r2, c2) { return free(r2, c2) && free(r, c2) && free(r2, c) }

function step_cost(r, c, r2, c2) { return (r != r2 && c != c2 ? sqrt(2) : 1) * (price[r, c] + price[r2, c2]) / 2 }

function add(r, c, cost, b) {
  b = int(cost)
  best[r, c] = cost
  bucket[b, size[b]++] = r " " c
  if (b > last) last = b
}

function optimum(b, n, at, r, c) {  # -1: the goal cannot be reached
  split("", best); split("", bucket); split("", size)
  last = 0
  add(start_row, start_column, 0)
  for (b = 0; b <= last; b++)
    for (n = 0; n < size[b]; n++) {
      split(bucket[b, n], at, " ")
      r = at[1] + 0; c = at[2] + 0
      if (int(best[r, c]) == b) spread_from(r, c)
    }
  return ((goal_row, goal_column) in best) ? best[goal_row, goal_column] : -1
}

function spread_from(r, c, dr, dc, cost) {
  for (dr = -1; dr <= 1; dr++)
    for (dc = -1; dc <= 1; dc++) {
      if ((!dr && !dc) || !may_step(r, c, r + dr, c + dc)) continue
      cost = best[r, c] + step_cost(r, c, r + dr, c + dc)
      if (!((r + dr, c + dc) in best) || cost < best[r + dr, c + dc]) add(r + dr, c + dc, cost)
    }
}

function wrong(what) { faults++; note = note "map " map ": " what "\n" }

function judge(cost) {
  if (map == "") return
  maps++
  cost = optimum()
  if ((cost >= 0) != reachable[map]) wrong("the truth says reachable " reachable[map] ", which is not so")
  if (!(map in result)) { wrong("it is not in the result"); return }
  $0 = result[map]
  if ((field("reached") == "true") != (cost >= 0)) { wrong("reached is " field("reached")); return }
  if (cost < 0) { if (numbers("path")) wrong("a path to a goal that cannot be reached"); return }
  judge_path(cost)
  judge_smoothed()
}

function differ(a, b) { a -= b; if (a < 0) a = -a; if (a > error) error = a; return a > tolerance }

END {
  judge()
  printf "error=%.1e maps=%d wrong=%d\n", error, maps, faults
  printf "%s", note
  if (!maps || maps != planted) print "the input has " maps + 0 " maps, the truth " planted + 0
  exit !(maps && maps == planted && !faults)
}
