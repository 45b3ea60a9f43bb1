# Random numbers that are the same in every awk. Generator: Park and Miller, "Random number generators: good ones are
# hard to find" (1988); its products stay below 2^53, so that doubles hold them exactly.

function seed_random(seed, i) {
  random_state = (seed * 48271 + 12345) % 2147483647
  if (random_state == 0) random_state = 1
  for (i = 0; i < 20; i++) uniform()
}

function uniform() {  # in (0, 1)
  random_state = random_state * 16807 % 2147483647
  return random_state / 2147483647
}

function between(low, high) { return low + (high - low) * uniform() }

function whole_between(low, high) { return low + int((high - low + 1) * uniform()) }

function gauss(away) {  # mean 0, standard deviation 1 (Box and Muller, 1958)
  away = sqrt(-2 * log(uniform()))
  return away * cos(6.283185307179586 * uniform())
}
