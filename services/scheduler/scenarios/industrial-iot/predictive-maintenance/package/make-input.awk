# Makes vibration and temperature of the bearings of many machines, or (truth = 1) when each one fails. Needs random.
# Damage d of a bearing is 0 until it begins and then ((t - begin) / duration)^p; it fails at d = 1. Vibration grows
# from the machine's own base to 11.2 mm/s as base * (11.2 / base)^d, the temperature by 30 degrees times d. Around
# that: the load of the day, slow changes of the hall's temperature, noise, wild samples, lost samples.
# Some machines fail within the week (168 h), some soon after, many later or not in sight.

function plan(m,    share) {
  id[m] = sprintf("press-%02d", m)
  age[m] = between(1400, 1800)
  share = uniform()
  if (share < 0.42) life[m] = 20 * exp(between(0, log(152 / 20)))
  else if (share < 0.72) life[m] = 186 * exp(between(0, log(700 / 186)))
  else life[m] = between(1200, 6000)
  duration[m] = life[m] < 1000 ? life[m] + between(250, 0.72 * age[m] - life[m] * 0.2) : between(400, 1100)
  begin[m] = age[m] + life[m] - duration[m]
  power[m] = between(1, 1.5)
  base_rms[m] = between(1.4, 2.6)
  base_temp[m] = between(48, 58)
  limit_rms[m] = 11.2 * (1 + 0.03 * gauss())
  limit_rise[m] = 30 * (1 + 0.04 * gauss())
  load_gain[m] = between(0.02, 0.06)
  phase[m] = between(0, 6.28)
}

function damage(m, t) { return t <= begin[m] ? 0 : exp(power[m] * log((t - begin[m]) / duration[m])) }

function sample(m, t,    d, load, rms, temp) {
  d = damage(m, t)
  load = sin(6.2832 * t / 24 + phase[m])
  rms = base_rms[m] * exp(log(limit_rms[m] / base_rms[m]) * d + load_gain[m] * load + 0.06 * gauss())
  if (uniform() < 0.01) rms *= between(1.5, 3)
  temp = base_temp[m] + limit_rise[m] * d + 1.2 * load + 0.9 * sin(6.2832 * t / 700 + 1) + 0.8 * gauss()
  if (uniform() < 0.97) printf "%s,%.1f,%.3f,%.1f\n", id[m], t, rms, temp
}

BEGIN {
  random_seed(seed)
  each = 250  # samples of a machine
  machines = int(count / each)
  for (m = 1; m <= machines; m++) plan(m)
  if (truth) {
    print "machine,failure_h,life_h"
    for (m = 1; m <= machines; m++) printf "%s,%.1f,%.1f\n", id[m], age[m] + life[m], life[m]
    exit
  }
  print "machine,hours,rms,temperature"
  for (i = 1; i <= each; i++) for (m = 1; m <= machines; m++) sample(m, age[m] * i / each)
}
