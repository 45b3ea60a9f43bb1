# Smooths a path: from each corner straight on to the farthest cell of the next look_ahead that is in sight and no dearer than
# the path. Wants: look_ahead. Sets corner[1] … corner[corners].

function smooth(at, n, best) {
  corners = 1; corner[1] = path[1]
  for (at = 1; at < steps; at = best) {
    best = at + 1
    for (n = at + 2; n <= steps && n <= at + look_ahead; n++)
      if (line_is_free(path[at], path[n]) && line_cost <= path_cost[n] - path_cost[at] + 1e-9) best = n
    corner[++corners] = path[best]
  }
}

function distance(a, b, dr, dc) {
  dr = int(a / columns) - int(b / columns); dc = a % columns - b % columns
  return sqrt(dr * dr + dc * dc)
}

# Walks through the cells that the line between two centres crosses (J. Amanatides and A. Woo, "A fast voxel traversal algorithm",
# 1987), with the crossings compared as whole numbers: the line leaves row step i at (2 i + 1) / (2 rows_away) of its length. Through a
# corner it needs both cells beside it free. Sets line_cost, which for a step to a neighbour is that of the path.
function line_is_free(a, b, r, c, dr, dc, i, j, up, left, t, from, sum) {
  r = int(b / columns) - int(a / columns); c = b % columns - a % columns
  up = r < 0 ? -columns : columns; left = c < 0 ? -1 : 1
  dr = r < 0 ? -r : r; dc = c < 0 ? -c : c
  while (a != b) {
    if (i < dr && (j >= dc || (2 * i + 1) * dc < (2 * j + 1) * dr)) t = (2 * i + 1) / (2 * dr)
    else t = (2 * j + 1) / (2 * dc)
    sum += cost[a] * (t - from)
    from = t
    if (i < dr && j < dc && (2 * i + 1) * dc == (2 * j + 1) * dr) {
      if (!cost[a + up] || !cost[a + left]) return 0
      a += up + left; i++; j++
    } else if (i < dr && (j >= dc || (2 * i + 1) * dc < (2 * j + 1) * dr)) { a += up; i++ }
    else { a += left; j++ }
    if (!cost[a]) return 0
  }
  line_cost = (sum + cost[b] * (1 - from)) * sqrt(dr * dr + dc * dc)
  return 1
}
