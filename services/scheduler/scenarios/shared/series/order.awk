# Order statistics: sorting, quantiles, and the median absolute deviation as a measure of spread that outliers do not
# move (Hampel 1974; the factor 1.4826 makes it the standard deviation of normal noise).

# Sorts list[1..n] in place, smallest first: heapsort.
function sort_list(list, n,    i, x) {
  for (i = int(n / 2); i >= 1; i--) sift(list, i, n)
  for (i = n; i > 1; i--) {
    x = list[1]
    list[1] = list[i]
    list[i] = x
    sift(list, 1, i - 1)
  }
}

function sift(list, at, n,    child, x) {
  x = list[at]
  while ((child = 2 * at) <= n) {
    if (child < n && list[child + 1] > list[child]) child++
    if (list[child] <= x) break
    list[at] = list[child]
    at = child
  }
  list[at] = x
}

# The quantile q (0..1) of the sorted list[1..n], linear between neighbours (Hyndman and Fan 1996, type 7).
function quantile(list, n, q,    at, low) {
  at = 1 + (n - 1) * q
  low = int(at)
  return low >= n ? list[n] : list[low] + (at - low) * (list[low + 1] - list[low])
}

# The median of list[1..n]; sorts it.
function median(list, n) {
  sort_list(list, n)
  return quantile(list, n, 0.5)
}

# The scaled median absolute deviation of list[1..n] from centre.
function spread(list, n, centre,    i, away) {
  for (i = 1; i <= n; i++) away[i] = list[i] > centre ? list[i] - centre : centre - list[i]
  return 1.4826 * median(away, n)
}

# Puts x into the sorted list[1..size], where size counts x already.
function insert(list, size, x,    i) {
  for (i = size - 1; i > 0 && list[i] > x; i--) list[i + 1] = list[i]
  list[i + 1] = x
}

# Takes one x out of the sorted list[1..size].
function remove(list, size, x,    low, high, middle) {
  low = 1
  high = size
  while (low < high) {
    middle = int((low + high) / 2)
    if (list[middle] < x) low = middle + 1
    else high = middle
  }
  for (; low < size; low++) list[low] = list[low + 1]
}

function magnitude(x) { return x < 0 ? -x : x }
