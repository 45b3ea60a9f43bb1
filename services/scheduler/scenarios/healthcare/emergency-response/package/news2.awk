# National Early Warning Score 2: Royal College of Physicians, "National Early Warning Score (NEWS) 2" (2017), chart 1.
# Values are whole numbers, the temperature is in tenths of a degree.

# Sets points["respiration"] … points["temperature"], worst (the highest of one parameter) and returns the sum.
# consciousness: A alert, C new confusion, V voice, P pain, U unresponsive. scale: 1, or 2 for patients whose target
# saturation is 88-92 % (hypercapnic respiratory failure).
function news2(respiration, spo2, scale, oxygen, systolic, pulse, consciousness, tenths, name, sum) {
  points["respiration"] = respiration_points(respiration)
  points["spo2"] = scale == 2 ? spo2_points_2(spo2, oxygen) : spo2_points_1(spo2)
  points["oxygen"] = oxygen ? 2 : 0
  points["systolic"] = systolic_points(systolic)
  points["pulse"] = pulse_points(pulse)
  points["consciousness"] = consciousness == "A" ? 0 : 3
  points["temperature"] = temperature_points(tenths)
  worst = 0
  for (name in points) {
    sum += points[name]
    if (points[name] > worst) worst = points[name]
  }
  return sum
}

function respiration_points(x) {
  if (x <= 8) return 3
  if (x <= 11) return 1
  if (x <= 20) return 0
  return x <= 24 ? 2 : 3
}

function spo2_points_1(x) {
  if (x <= 91) return 3
  if (x <= 93) return 2
  return x <= 95 ? 1 : 0
}

function spo2_points_2(x, oxygen) {
  if (x <= 83) return 3
  if (x <= 85) return 2
  if (x <= 87) return 1
  if (x <= 92 || !oxygen) return 0
  if (x <= 94) return 1
  return x <= 96 ? 2 : 3
}

function systolic_points(x) {
  if (x <= 90) return 3
  if (x <= 100) return 2
  if (x <= 110) return 1
  return x <= 219 ? 0 : 3
}

function pulse_points(x) {
  if (x <= 40) return 3
  if (x <= 50) return 1
  if (x <= 90) return 0
  if (x <= 110) return 1
  return x <= 130 ? 2 : 3
}

function temperature_points(tenths) {
  if (tenths <= 350) return 3
  if (tenths <= 360) return 1
  if (tenths <= 380) return 0
  return tenths <= 390 ? 1 : 2
}

# The clinical response: 0 none, 1 low (1-4), 2 a single parameter with 3 points, 3 urgent (5-6), 4 emergency (7 or more).
function level_of(score, single) {
  if (score >= 7) return 4
  if (score >= 5) return 3
  if (single >= 3) return 2
  return score > 0 ? 1 : 0
}
