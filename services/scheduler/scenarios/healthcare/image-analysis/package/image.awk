# Makes a 16-bit image (plain PGM) with planted nodules; truth=1 prints those instead. Wants: seed, side, truth. Uses random.awk.
#
# Over a shaded background (vignette and slope, larger than any nodule's contrast) lie texture of two grains (value noise: random
# lattices, bilinearly interpolated), noise, round nodules, and what is none: vessels (long) and specks (small).

BEGIN {
  seed_random(seed)
  plan()
  if (truth) exit
  tilt_x = between(-2500, 2500); tilt_y = between(-2500, 2500); vignette = between(3000, 6000)
  lattice("coarse", 24, 160)
  lattice("fine", 7, 90)
  printf "P2\n# nodules over a textured background\n%d %d\n65535\n", side, side
  for (y = 0; y < side; y++) write_row(y)
  if (line != "") print line
}

function plan(wanted, tries, n) {
  if (truth) print "x,y,radius,contrast"
  wanted = int(side * side / 13000) + 1
  while (nodules < wanted && tries++ < 40 * wanted) add_nodule()
  for (n = 0; n < side * side / 22000; n++) add_vessel()
  for (n = 0; n < side * side / 4000; n++) add_speck()
}

function distance(x1, y1, x2, y2) { return sqrt((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2)) }

# Nodules keep apart from each other and from the edge. The faintest stand out by about 6 standard deviations of what is around
# them once it is smoothed; small ones are not faint.
function add_nodule(r, x, y, n, contrast) {
  r = between(4, 12)
  x = between(2 * r, side - 2 * r); y = between(2 * r, side - 2 * r)
  for (n = 1; n <= nodules; n++) if (distance(x, y, cx[n], cy[n]) < 2.2 * (r + radius[n])) return
  contrast = between(0, 1)
  contrast = 950 + 3000 * contrast * contrast + (r < 5 ? 400 : 0)
  cx[++nodules] = x; cy[nodules] = y; radius[nodules] = r
  if (truth) printf "%.1f,%.1f,%.1f,%.0f\n", x, y, r, contrast
  else stamp(x, y, r, contrast)
}

function stamp(x, y, r, contrast, i, j, u, v, cosine, sine, flat) {  # an ellipse with a soft edge
  flat = 1 + 0.3 * abs(cos(7 * x)); cosine = cos(x + y); sine = sin(x + y)
  for (j = int(y - 2 * r); j <= y + 2 * r; j++)
    for (i = int(x - 2 * r); i <= x + 2 * r; i++) {
      u = (cosine * (i - x) + sine * (j - y)) / r * sqrt(flat); v = (cosine * (j - y) - sine * (i - x)) / r / sqrt(flat)
      add(i, j, contrast * exp(-(u * u + v * v) * (u * u + v * v)))
    }
}

function abs(x) { return x < 0 ? -x : x }

function add(i, j, value) { if (i >= 0 && i < side && j >= 0 && j < side) more[j * side + i] += value }

function add_vessel(x, y, angle, bend, long, contrast, wide, n, i) {
  x = between(0, side); y = between(0, side); angle = between(0, 6.28); bend = between(-0.01, 0.01)
  long = between(50, 140); contrast = between(900, 1800); wide = whole_between(2, 3)
  for (n = 0; n < long; n++) {
    for (i = 1; i <= nodules; i++) if (distance(x, y, cx[i], cy[i]) < 1.6 * radius[i] + 8) return
    if (!truth) for (i = 0; i < wide; i++) dab(int(x + i * sin(angle) + 0.5), int(y - i * cos(angle) + 0.5), contrast)
    x += cos(angle); y += sin(angle); angle += bend
  }
}

# Vessels do not get brighter where a dab meets the one before.
function dab(i, j, value) { if (more[j * side + i] < value) add(i, j, value - more[j * side + i]) }

function add_speck(x, y, value, i, j, wide) {
  x = whole_between(2, side - 4); y = whole_between(2, side - 4); value = between(1500, 6000); wide = whole_between(1, 2)
  if (truth) return
  for (j = 0; j < wide; j++) for (i = 0; i < wide; i++) dab(x + i, y + j, value)
}

function lattice(name, step, size, i, j, n) {
  pitch[name] = step
  n = int(side / step) + 2
  across[name] = n
  for (j = 0; j < n; j++) for (i = 0; i < n; i++) node[name, j * n + i] = size * gauss()
}

# A lattice's two lines around row y, mixed: the row then mixes only along x.
function prepare(name, y, i, j, part, n) {
  n = across[name]; j = int(y / pitch[name]); part = y / pitch[name] - j
  for (i = 0; i < n; i++) mixed[name, i] = node[name, j * n + i] * (1 - part) + node[name, (j + 1) * n + i] * part
}

function texture(name, x, i, part) {
  i = int(x / pitch[name]); part = x / pitch[name] - i
  return mixed[name, i] * (1 - part) + mixed[name, i + 1] * part
}

function write_row(y, x, u, v, value, wide) {
  prepare("coarse", y); prepare("fine", y)
  wide = side > 512 ? side : 512  # a small image is a part of a large one
  v = (2 * y - side) / wide
  for (x = 0; x < side; x++) {
    u = (2 * x - side) / wide
    value = 24000 + tilt_x * u + tilt_y * v - vignette * (u * u + v * v) / 2
    value += texture("coarse", x) + texture("fine", x) + 220 * gauss()
    if ((y * side + x) in more) value += more[y * side + x]
    value = int(value < 0 ? 0 : (value > 65535 ? 65535 : value))
    if (length(line) + 6 > 70) { print line; line = "" }  # plain PGM asks for lines of at most 70 characters
    line = line == "" ? value : line " " value
  }
}
