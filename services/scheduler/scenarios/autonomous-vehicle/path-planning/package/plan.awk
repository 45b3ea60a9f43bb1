# Reads maps, plans a path on each, and writes the result as JSON to stdout. Wants: total (lines of input). Uses input.awk, star.awk,
# smooth.awk.

BEGIN { FS = ","; cells_max = 262144 }

NR == 1 { read_header("map,row,cells"); next }

{
  read_line()
  map = whole(1, 0, 1e9)
  if (map != map_now || NR == 2) {
    if (NR > 2 && map <= map_now) bad("map", map " does not follow " map_now)
    solve()
    map_now = map; rows = 0; columns = length($3); start = goal = cheapest = ""
    if (columns < 2) bad("cells", columns " cells; expected at least 2")
  }
  if (whole(2, 0, 1e9) != rows) bad("row", $2 "; expected " rows)
  if (length($3) != columns) bad("cells", length($3) " cells; expected " columns)
  if ((rows + 1) * columns > cells_max) bad("cells", "more than " cells_max " in one map")
  for (c = 0; c < columns; c++) read_cell(rows * columns + c, substr($3, c + 1, 1))
  rows++
}

# cost[i] of cell i = row * columns + column; 0 is an obstacle. Start and goal cost 1.
function read_cell(i, text) {
  if (text ~ /[1-9]/) cost[i] = text + 0
  else if (text == "#") { cost[i] = 0; return }
  else if (text == "S") { if (start != "") bad("cells", "a second S"); start = i; cost[i] = 1 }
  else if (text == "G") { if (goal != "") bad("cells", "a second G"); goal = i; cost[i] = 1 }
  else bad("cells", "cell " c + 1 " is not one of 1-9 # S G: \"" text "\"")
  if (cheapest == "" || cost[i] < cheapest) cheapest = cost[i]
}

function solve(reached) {
  if (map_now == "") return
  if (start == "" || goal == "") bad("cells", "map " map_now " has no " (start == "" ? "S" : "G"))
  reached = find_path()
  if (!maps) total *= columns  # progress counts cells
  if (!maps++) printf "{\"maps\":["
  else printf ","
  printf "\n{\"map\":%d,\"rows\":%d,\"columns\":%d,\"reached\":%s,\"expanded\":%d", map_now, rows, columns,
    (reached ? "true" : "false"), expanded
  cells += rows * columns; all_expanded += expanded
  if (reached) { reached_maps++; write_path() }
  printf "}"
  progress(cells)
}

function write_path(n, i, long, smooth_cost, smooth_long) {
  smooth()
  for (i = 2; i <= steps; i++) long += distance(path[i - 1], path[i])
  for (i = 2; i <= corners; i++) {
    line_is_free(corner[i - 1], corner[i])
    smooth_cost += line_cost
    smooth_long += distance(corner[i - 1], corner[i])
  }
  printf ",\"cost\":%.10f,\"length\":%.10f,\"smoothed_cost\":%.10f,\"smoothed_length\":%.10f", path_cost[steps], long, smooth_cost,
    smooth_long
  printf ",\"path\":["
  for (i = 1; i <= steps; i++) printf "%s[%d,%d]", (i > 1 ? "," : ""), int(path[i] / columns), path[i] % columns
  printf "],\"smoothed\":["
  for (i = 1; i <= corners; i++) printf "%s[%d,%d]", (i > 1 ? "," : ""), int(corner[i] / columns), corner[i] % columns
  printf "]"
}

END {
  check_end()
  solve()
  if (failed) exit 1
  printf "],\n\"cells\":%d,\"reached\":%d,\"expanded\":%d}\n", cells, reached_maps, all_expanded
  printf "%d of %d goals reached in %d cells; %d cells looked at\n", reached_maps, maps, cells, all_expanded | "cat 1>&3"
  close("cat 1>&3")
}
