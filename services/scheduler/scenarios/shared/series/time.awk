# Times as text and as seconds since 1970, without a zone. The days are counted in the proleptic Gregorian calendar
# (Howard Hinnant, "chrono-compatible low-level date algorithms": days_from_civil and civil_from_days).

function days_of_date(y, m, d,    era, of_era) {
  if (m <= 2) y--
  era = int(y / 400)
  of_era = y - era * 400
  d += int((153 * ((m + 9) % 12) + 2) / 5) - 1  # days since the first of March
  return era * 146097 + of_era * 365 + int(of_era / 4) - int(of_era / 100) + d - 719468
}

function date_of_days(days,    era, of_era, year, of_year, m, month) {
  days += 719468
  era = int(days / 146097)
  of_era = days - era * 146097
  year = int((of_era - int(of_era / 1460) + int(of_era / 36524) - int(of_era / 146096)) / 365)
  of_year = of_era - (365 * year + int(year / 4) - int(year / 100))
  m = int((5 * of_year + 2) / 153)
  month = m < 10 ? m + 3 : m - 9
  return sprintf("%04d-%02d-%02d", year + era * 400 + (month <= 2), month, of_year - int((153 * m + 2) / 5) + 1)
}

# Seconds since 1970 of "2026-03-01T08:15:00" (also with a blank, a fraction, a Z) or of a plain number of seconds;
# "" when the text is neither.
function time_seconds(text,    day) {
  if (text ~ /^[0-9]+(\.[0-9]+)?$/ && length(text) < 16) return text + 0
  if (text !~ /^[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?Z?$/) return ""
  day = substr(text, 1, 10)
  if (day != time_day) {  # most lines are of the same day as the line before
    if (!within(substr(day, 6, 2), 1, 12) || !within(substr(day, 9, 2), 1, 31)) return ""
    time_day = day
    time_day_s = 86400 * days_of_date(substr(day, 1, 4) + 0, substr(day, 6, 2) + 0, substr(day, 9, 2) + 0)
  }
  if (!within(substr(text, 12, 2), 0, 23)) return ""
  sub(/Z$/, "", text)
  return time_day_s + substr(text, 12, 2) * 3600 + substr(text, 15, 2) * 60 + substr(text, 18)
}

function within(digits, low, high) { return digits + 0 >= low && digits + 0 <= high }

# "2026-03-01T08:15:00", with milliseconds where there are some.
function time_text(seconds,    ms, whole, of_day, fraction) {
  ms = int(seconds * 1000 + 0.5)
  whole = int(ms / 1000)
  fraction = ms - whole * 1000
  of_day = whole % 86400
  return date_of_days(int(whole / 86400)) sprintf("T%02d:%02d:%02d", int(of_day / 3600), int(of_day / 60) % 60, \
    of_day % 60) (fraction ? sprintf(".%03d", fraction) : "")
}
