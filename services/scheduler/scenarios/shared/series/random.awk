# A small generator that makes the same numbers in every awk: Park and Miller's "minimal standard" (1988),
# x = 16807 x mod 2^31-1, exact in doubles.

function random_seed(seed) {
  random_x = (seed % 2147483646 * 48271 + 11) % 2147483646 + 1
  for (seed = 0; seed < 20; seed++) uniform()
}

function uniform() {  # in (0, 1)
  random_x = random_x * 16807 % 2147483647
  return random_x / 2147483647
}

function between(low, high) { return low + (high - low) * uniform() }

function integer(low, high) { return low + int((high - low + 1) * uniform()) }

# Normal with mean 0 and standard deviation 1: Box and Muller 1958. Each second one is kept from the call before.
function gauss(    radius, angle) {
  if (random_kept != "") {
    radius = random_kept
    random_kept = ""
    return radius
  }
  radius = sqrt(-2 * log(uniform()))
  angle = 6.283185307179586 * uniform()
  random_kept = radius * sin(angle)
  return radius * cos(angle)
}
