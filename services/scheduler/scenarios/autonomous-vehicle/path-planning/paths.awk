# Judges one map's path and its smoothed path, from the line of the result that is $0. Uses dijkstra.awk.

function numbers(name, rest) {  # sets row[1] …, column[1] …; returns how many
  if (!match($0, "\"" name "\":\\[\\[")) return 0
  rest = substr($0, RSTART + RLENGTH)
  sub(/\]\].*/, "", rest)
  points = split(rest, point, /\],\[/)
  for (n = 1; n <= points; n++) { split(point[n], part, ","); row[n] = part[1] + 0; column[n] = part[2] + 0 }
  return points
}

function check_ends(name) {
  if (row[1] != start_row || column[1] != start_column) wrong(name " does not begin at S")
  if (row[points] != goal_row || column[points] != goal_column) wrong(name " does not end at G")
}

function long(n) { return sqrt((row[n] - row[n - 1]) ^ 2 + (column[n] - column[n - 1]) ^ 2) }

function judge_path(optimum_cost, n, cost, length_of_path) {
  if (numbers("path") < 1) { wrong("it has no path"); return }
  check_ends("path")
  for (n = 2; n <= points; n++) {
    if (long(n) < 1 || long(n) > 1.5) { wrong("the path jumps to " row[n] ", " column[n]); return }
    if (!may_step(row[n - 1], column[n - 1], row[n], column[n])) { wrong("the path is not free at " row[n] ", " column[n]); return }
    cost += step_cost(row[n - 1], column[n - 1], row[n], column[n])
    length_of_path += long(n)
  }
  if (differ(cost, optimum_cost)) wrong("the path costs " cost "; the cheapest costs " optimum_cost)
  if (differ(field("cost"), cost)) wrong("cost is " field("cost") ", but the path costs " cost)
  if (differ(field("length"), length_of_path)) wrong("length is not that of the path")
}

# Each straight piece: where it crosses the lines between cells, sorted; between two crossings it lies in the cell of the middle.
function judge_smoothed(n, cost, length_of_path) {
  if (numbers("smoothed") < 1) { wrong("it has no smoothed path"); return }
  check_ends("smoothed")
  for (n = 2; n <= points; n++) {
    piece_cost = 0
    if (!piece_is_free(row[n - 1], column[n - 1], row[n] - row[n - 1], column[n] - column[n - 1])) {
      wrong("the smoothed path is not free before " row[n] ", " column[n])
      return
    }
    cost += piece_cost * long(n)
    length_of_path += long(n)
  }
  if (differ(field("smoothed_cost"), cost)) wrong("smoothed_cost is not that of the smoothed path: " cost)
  if (differ(field("smoothed_length"), length_of_path)) wrong("smoothed_length is not that of the smoothed path")
  if (cost > field("cost") + tolerance) wrong("the smoothed path is dearer than the path")
}

function crossings(away, i, n) {  # of one axis, added to cross[1..crosses]
  n = away < 0 ? -away : away
  for (i = 0; i < n; i++) cross[++crosses] = (i + 0.5) / n
}

function piece_is_free(r, c, dr, dc, i, j, x, middle, here_r, here_c, was_r, was_c) {
  crosses = 0
  crossings(dr); crossings(dc)
  cross[++crosses] = 1
  for (i = 2; i <= crosses; i++) {
    x = cross[i]
    for (j = i; j > 1 && cross[j - 1] > x; j--) cross[j] = cross[j - 1]
    cross[j] = x
  }
  was_r = r; was_c = c; cross[0] = 0
  for (i = 1; i <= crosses; i++) {
    if (cross[i] - cross[i - 1] < 1e-12) continue  # both axes at once: a corner
    middle = (cross[i] + cross[i - 1]) / 2
    here_r = nearest(r + dr * middle); here_c = nearest(c + dc * middle)
    if (!may_step(was_r, was_c, here_r, here_c)) return 0
    piece_cost += price[here_r, here_c] * (cross[i] - cross[i - 1])
    was_r = here_r; was_c = here_c
  }
  return 1
}

function nearest(x) { return int(x + 1000.5) - 1000 }
