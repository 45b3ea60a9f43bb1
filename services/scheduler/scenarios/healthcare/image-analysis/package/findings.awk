# Connects the pixels above the threshold and judges what they form. Wants: area_min, area_max, round_min. Uses pgm.awk, flatten.awk.
#
# One pass with two rows of labels and union-find (A. Rosenfeld and J. Pfaltz, 1966; path halving after R. Tarjan and J. van
# Leeuwen, 1984); pixels that touch at a corner are connected. Sums are kept for each label and added when two labels meet.

function root(a) {
  while (parent[a] != a) { parent[a] = parent[parent[a]]; a = parent[a] }
  return a
}

function join(a, b) {
  a = root(a); b = root(b)
  if (a == b) return a
  if (b < a) { parent[a] = b; return b }
  parent[b] = a
  return a
}

function connect(threshold, y, x, now, west, l) {
  for (y = 0; y < height; y++) {
    west = northwest = 0
    for (x = 0; x < width; x++) {
      now = 0
      if (grey[y * width + x] >= threshold) {
        now = west
        if (northwest) now = now ? join(now, northwest) : northwest
        if (north[x]) now = now ? join(now, north[x]) : north[x]
        if (x + 1 < width && north[x + 1]) now = now ? join(now, north[x + 1]) : north[x + 1]
        if (!now) { now = ++labels; parent[now] = now }
        count(now, x, y, grey[y * width + x])
      }
      northwest = north[x]
      north[x] = west = now
    }
    progress((pixels * 1.5 + (y + 1) * width / 2) / 2)
  }
  for (l = labels; l > 0; l--) if (parent[l] != l) fold(l, root(l))
}

function count(l, x, y, value) {
  area[l]++; sx[l] += x; sy[l] += y; sxx[l] += x * x; syy[l] += y * y; sxy[l] += x * y; light[l] += value
}

function fold(l, into) {
  area[into] += area[l]; sx[into] += sx[l]; sy[into] += sy[l]; sxx[into] += sxx[l]; syy[into] += syy[l]
  sxy[into] += sxy[l]; light[into] += light[l]
}

# How round, 0 to 1: the ratio of the short to the long axis of the ellipse with the same second moments, times how much of
# that ellipse is filled (its area is 4 pi sqrt(det)). The moments of a pixel itself, 1/12, are added.
function roundness(l, vxx, vyy, vxy, mid, half, det, filled) {
  vxx = sxx[l] / area[l] - (sx[l] / area[l]) ^ 2 + 1 / 12
  vyy = syy[l] / area[l] - (sy[l] / area[l]) ^ 2 + 1 / 12
  vxy = sxy[l] / area[l] - sx[l] * sy[l] / area[l] / area[l]
  mid = (vxx + vyy) / 2
  half = sqrt((vxx - vyy) ^ 2 / 4 + vxy * vxy)
  det = vxx * vyy - vxy * vxy
  if (det <= 0 || mid - half <= 0) return 0
  filled = area[l] / (12.566370614359172 * sqrt(det))
  return sqrt((mid - half) / (mid + half)) * (filled < 1 ? filled : 1)
}

END {
  check_end()
  measure_blocks()
  flatten()
  sigma = spread()
  threshold = otsu(sigma)
  connect(threshold)
  printf "{\"pixels\":%d,\"width\":%d,\"height\":%d,\"spread\":%.1f,\"threshold\":%d,\n\"findings\":[", pixels, width, height,
    sigma, threshold
  for (l = 1; l <= labels; l++) {
    if (parent[l] != l) continue
    if (area[l] < area_min || area[l] > area_max) { wrong_size++; continue }
    r = roundness(l)
    if (r < round_min) { not_round++; continue }
    printf "%s\n{\"x\":%.1f,\"y\":%.1f,\"area_px\":%d,\"radius_px\":%.1f,\"contrast\":%.0f,\"roundness\":%.2f}", (found++ ? "," : ""),
      sx[l] / area[l], sy[l] / area[l], area[l], sqrt(area[l] / 3.141592653589793), light[l] / area[l] - middle, r
  }
  printf "],\n\"found\":%d,\"wrong_size\":%d,\"not_round\":%d}\n", found, wrong_size, not_round
  printf "%d findings in %d by %d pixels; %d of a wrong size and %d not round were left out\n", found, width, height, wrong_size,
    not_round | "cat 1>&3"
  close("cat 1>&3")
}
