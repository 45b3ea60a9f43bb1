# Takes the shading off and finds the threshold. Wants: block (pixels), smallest.
#
# The background is the median of each block of the image, bilinearly interpolated between the centres of the blocks (and
# continued in a straight line outwards). A block is so much larger than a finding that its median does not see it.

function measure_blocks(bx, by) {
  across = max(2, int(width / block)); down = max(2, int(height / block))
  for (by = 0; by < down; by++)
    for (bx = 0; bx < across; bx++)
      level[by * across + bx] = block_median(int(bx * width / across), int((bx + 1) * width / across),
                                             int(by * height / down), int((by + 1) * height / down))
}

function max(a, b) { return a > b ? a : b }

function block_median(x0, x1, y0, y1, x, y, n) {  # of every second pixel in both directions
  for (y = y0; y < y1; y += 2) for (x = x0; x < x1; x += 2) list[n++] = grey[y * width + x]
  return select_from(n, int(n / 2))
}

function select_from(n, k, low, high, pivot, i, j, x) {  # the k-th of list[0..n-1]: Hoare's FIND (1961)
  low = 0; high = n - 1
  while (low < high) {
    pivot = list[k]; i = low; j = high
    while (i <= j) {
      while (list[i] < pivot) i++
      while (list[j] > pivot) j--
      if (i <= j) { x = list[i]; list[i++] = list[j]; list[j--] = x }
    }
    if (j < k) low = i
    if (i > k) high = j
  }
  return list[k]
}

# Replaces the image by its mean over 3 by 3 pixels above the background, row by row, and counts a histogram of it.
function flatten(y, x, a, b) {
  top = bottom = 0
  for (y = 0; y < height; y++) {
    for (x = 0; x < width; x++) { older[x] = newer[x]; newer[x] = grey[y * width + x] }
    if (y == 0) for (x = 0; x < width; x++) older[x] = newer[x]
    background_of_row(y)
    for (x = 0; x < width; x++) {
      b = y + 1 < height ? grey[(y + 1) * width + x] : newer[x]
      column_sum[x] = older[x] + newer[x] + b
    }
    for (x = 0; x < width; x++) {
      a = column_sum[x > 0 ? x - 1 : 0] + column_sum[x] + column_sum[x + 1 < width ? x + 1 : x]
      a = int(a / 9 - background(x) + 100000.5) - 100000
      grey[y * width + x] = a
      histogram[a]++
      if (a > top) top = a
      if (a < bottom) bottom = a
    }
    progress((pixels + (y + 1) * width / 2) / 2)
  }
}

function background_of_row(y, at, i, part, bx) {
  at = (y + 0.5) * down / height - 0.5
  i = int(at); if (i > down - 2) i = down - 2
  part = at - i
  for (bx = 0; bx < across; bx++)
    row_level[bx] = level[i * across + bx] * (1 - part) + level[(i + 1) * across + bx] * part
}

function background(x, at, i) {
  at = (x + 0.5) * across / width - 0.5
  i = int(at); if (i > across - 2) i = across - 2
  return row_level[i] + (row_level[i + 1] - row_level[i]) * (at - i)
}

# The median and the spread (1.4826 times the median absolute deviation) of the flattened image.
function spread(n, i, j) {
  for (i = bottom; n + histogram[i] <= pixels / 2; i++) n += histogram[i]
  middle = i
  n = histogram[middle]
  for (i = 1; n <= pixels / 2; i++) n += histogram[middle + i] + histogram[middle - i]
  return 1.4826 * max(i - 1, 0.5)
}

# N. Otsu, "A threshold selection method from gray-level histograms" (1979): the threshold with the largest variance between both
# classes. Nodules are a small part of the image, where Otsu's method alone would split the background. So only what is more than
# 2 spreads above the median takes part, and what is more than 8 above counts as 8. At least `smallest` spreads.
function otsu(sigma, low, high, i, n, sum, below, sum_below, best, variance, at) {
  low = int(middle + 2 * sigma); high = int(middle + 8 * sigma)
  for (i = low; i <= top; i++) { n += histogram[i]; sum += histogram[i] * (i < high ? i : high) }
  at = high; best = -1
  for (i = low; i < high && i < top; i++) {
    below += histogram[i]; sum_below += histogram[i] * i
    if (!below || below == n) continue
    variance = below * (n - below) * (sum_below / below - (sum - sum_below) / (n - below)) ^ 2
    if (variance > best) { best = variance; at = i + 1 }
  }
  return max(at, int(middle + smallest * sigma))
}
