# A*: P. Hart, N. Nilsson, B. Raphael, "A formal basis for the heuristic determination of minimum cost paths" (1968), with a binary
# heap. Eight neighbours; a diagonal step needs both cells beside it free (no corner cutting). A step costs its length times
# the mean cost of both cells. The heuristic is the octile distance times the lowest cost of the map, which never says too much and is
# consistent, so that a cell is final when it leaves the heap.

function heuristic(i, dr, dc) {
  dr = int(i / columns) - goal_row; if (dr < 0) dr = -dr
  dc = i % columns - goal_col; if (dc < 0) dc = -dc
  return cheapest * (dr > dc ? dr + 0.41421356237309503 * dc : dc + 0.41421356237309503 * dr)
}

function push(f, i, at, up) {
  for (at = ++heap_size; at > 1; at = up) {
    up = int(at / 2)
    if (key[up] <= f) break
    key[at] = key[up]; node[at] = node[up]
  }
  key[at] = f; node[at] = i
}

function pop(result, f, i, at, down) {
  result = node[1]; f = key[heap_size]; i = node[heap_size--]
  for (at = 1; at * 2 <= heap_size; at = down) {
    down = at * 2
    if (down < heap_size && key[down + 1] < key[down]) down++
    if (key[down] >= f) break
    key[at] = key[down]; node[at] = node[down]
  }
  key[at] = f; node[at] = i
  return result
}

function find_path(i) {  # sets path[1] … path[steps], path_cost[…], expanded; returns whether there is one
  split("", far); split("", final)
  goal_row = int(goal / columns); goal_col = goal % columns
  heap_size = expanded = 0
  far[start] = 0; before[start] = -1
  push(heuristic(start), start)
  while (heap_size) {
    i = pop()
    if (i in final) continue  # an older, dearer entry
    final[i] = 1; expanded++
    if (i == goal) { trace(); return 1 }
    expand(i)
  }
  return 0
}

function expand(i, r, c, north, south, west, east) {
  r = int(i / columns); c = i % columns
  north = r > 0 && cost[i - columns]; south = r < rows - 1 && cost[i + columns]
  west = c > 0 && cost[i - 1]; east = c < columns - 1 && cost[i + 1]
  if (north) relax(i, i - columns, 1)
  if (south) relax(i, i + columns, 1)
  if (west) relax(i, i - 1, 1)
  if (east) relax(i, i + 1, 1)
  if (north && west && cost[i - columns - 1]) relax(i, i - columns - 1, 1.4142135623730951)
  if (north && east && cost[i - columns + 1]) relax(i, i - columns + 1, 1.4142135623730951)
  if (south && west && cost[i + columns - 1]) relax(i, i + columns - 1, 1.4142135623730951)
  if (south && east && cost[i + columns + 1]) relax(i, i + columns + 1, 1.4142135623730951)
}

function relax(i, j, long, reach) {
  if (j in final) return
  reach = far[i] + long * (cost[i] + cost[j]) / 2
  if ((j in far) && far[j] <= reach) return
  far[j] = reach; before[j] = i
  push(reach + heuristic(j), j)
}

function trace(i, n, at) {
  for (i = goal; i >= 0; i = before[i]) steps_back[++n] = i
  steps = n
  for (at = 1; at <= n; at++) { path[at] = steps_back[n + 1 - at]; path_cost[at] = far[path[at]] }
}
