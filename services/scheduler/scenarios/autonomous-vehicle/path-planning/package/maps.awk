# Makes maps of square cells for planning; truth=1 prints where they begin and end instead. Wants: seed, count (cells), size, truth.
# Uses random.awk.
#
# Ground costs 1 to 9 by smooth hills. Rectangles, diagonal walls (whose cells touch only at corners, so that a planner
# that cuts corners walks through them) and single cells are obstacles. A random walk is cut free from start to goal, at high cost;
# but in one map of four a diamond-cornered ring closes the goal off, open only for who cuts corners.

BEGIN {
  seed_random(seed)
  maps = int((count + size * size - 1) / (size * size))
  print (truth ? "map,size,start_row,start_col,goal_row,goal_col,reachable" : "map,row,cells")
  for (m = 1; m <= maps; m++) {
    ground()
    block()
    start_row = whole_between(1, int(size / 6)); start_col = whole_between(1, size - 2)
    goal_row = size - 1 - whole_between(4, int(size / 6) + 3); goal_col = whole_between(4, size - 5)
    walk()
    closed = m > 1 && uniform() < 0.25
    if (closed) ring()
    if (truth) printf "%d,%d,%d,%d,%d,%d,%d\n", m, size, start_row, start_col, goal_row, goal_col, !closed
    else write_map()
  }
}

function ground(step, n, i, r, c, a, b, x) {
  step = 11; n = int(size / step) + 2
  for (i = 0; i < n * n; i++) hill[i] = uniform()
  for (r = 0; r < size; r++)
    for (c = 0; c < size; c++) {
      i = int(r / step) * n + int(c / step); a = r / step - int(r / step); b = c / step - int(c / step)
      x = (hill[i] * (1 - b) + hill[i + 1] * b) * (1 - a) + (hill[i + n] * (1 - b) + hill[i + n + 1] * b) * a
      cell[r, c] = 1 + int(9 * x * x * 0.999)
    }
}

function set(r, c, value) { if (r >= 0 && r < size && c >= 0 && c < size) cell[r, c] = value }

function block(n, i, j, r, c, high, wide) {
  for (n = 0; n < size * size / 700; n++) {  # rectangles
    r = whole_between(0, size); c = whole_between(0, size)
    high = whole_between(1, int(size / 12) + 1); wide = whole_between(1, int(size / 12) + 1)
    for (i = 0; i < high; i++) for (j = 0; j < wide; j++) set(r + i, c + j, "#")
  }
  for (n = 0; n < size * size / 900; n++) {  # diagonal walls
    r = whole_between(0, size); c = whole_between(0, size)
    wide = uniform() < 0.5 ? 1 : -1
    for (i = whole_between(4, int(size / 6) + 4); i > 0; i--) set(r + i, c + i * wide, "#")
  }
  for (n = 0; n < size * size / 16; n++) set(whole_between(0, size), whole_between(0, size), "#")
}

function walk(r, c) {  # single steps along rows and columns
  r = start_row; c = start_col
  while (r != goal_row || c != goal_col) {
    if (uniform() < 0.3) c += uniform() < 0.5 ? 1 : -1
    else if (r != goal_row && uniform() < 0.5) r += r < goal_row ? 1 : -1
    else if (c != goal_col) c += c < goal_col ? 1 : -1
    if (c < 0) c = 0
    if (c >= size) c = size - 1
    cell[r, c] = 9
  }
}

function ring(i) {
  for (i = -2; i <= 2; i++) {
    cell[goal_row - 3, goal_col + i] = cell[goal_row + 3, goal_col + i] = "#"
    cell[goal_row + i, goal_col - 3] = cell[goal_row + i, goal_col + 3] = "#"
  }
  for (i = 0; i < 4; i++) {  # what is at the corners is free
    cell[goal_row + (i < 2 ? 3 : -3), goal_col + (i % 2 ? 3 : -3)] = 1
    cell[goal_row + (i < 2 ? 2 : -2), goal_col + (i % 2 ? 2 : -2)] = 1
  }
}

function write_map(r, c, line) {
  cell[start_row, start_col] = "S"
  cell[goal_row, goal_col] = "G"
  for (r = 0; r < size; r++) {
    line = ""
    for (c = 0; c < size; c++) line = line cell[r, c]
    printf "%d,%d,%s\n", m, r, line
  }
}
