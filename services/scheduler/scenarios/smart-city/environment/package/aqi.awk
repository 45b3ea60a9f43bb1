# The US air quality index for particles and the NowCast that gives it hour by hour.
# Source: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality, EPA-454/B-24-002 (May 2024),
# table 6 and section IV; the PM2.5 breakpoints are those of the rule in force since 6 May 2024 (89 FR 16202; 40 CFR
# part 58, appendix G).

BEGIN {
  aqi_rows = split("0 51 101 151 201 301", aqi_low, " ")
  split("50 100 150 200 300 500", aqi_high, " ")
  split("0 9.1 35.5 55.5 125.5 225.5", pm25_low, " ")
  split("9 35.4 55.4 125.4 225.4 325.4", pm25_high, " ")
  split("0 55 155 255 355 425", pm10_low, " ")
  split("54 154 254 354 424 604", pm10_high, " ")
}

# The index of a concentration in ug/m3, which is first cut to 0.1 (pm25) or 1 (pm10); 500 at most.
function aqi(what, c,    i, low, high) {
  c = what == "pm25" ? int(10 * c + 1e-6) / 10 : int(c + 1e-6)
  for (i = 1; i <= aqi_rows; i++) {
    low = what == "pm25" ? pm25_low[i] : pm10_low[i]
    high = what == "pm25" ? pm25_high[i] : pm10_high[i]
    if (c <= high + 1e-6) return int((aqi_high[i] - aqi_low[i]) / (high - low) * (c - low) + aqi_low[i] + 0.5)
  }
  return 500
}

# NowCast of particles: the mean of the last 12 hours (c[0] the newest; "" where there is none), each hour back weighted
# by w = least / most, but not below a half. "" unless two of the newest three hours are there.
function nowcast(c,    i, n, low, high, w, factor, sum, weights) {
  if ((c[0] != "") + (c[1] != "") + (c[2] != "") < 2) return ""
  for (i = 0; i < 12; i++) {
    if (c[i] == "") continue
    if (!n++) low = high = c[i]
    if (c[i] < low) low = c[i]
    if (c[i] > high) high = c[i]
  }
  w = high > 0 ? low / high : 1
  if (w < 0.5) w = 0.5
  factor = 1
  for (i = 0; i < 12; i++) {
    if (c[i] != "") { sum += factor * c[i]; weights += factor }
    factor *= w
  }
  return sum / weights
}
