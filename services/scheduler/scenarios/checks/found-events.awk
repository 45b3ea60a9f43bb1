# From the lines of flatten-json.awk: the events of the array `list`, as lines for match-events.awk. The key is the
# event's member `name` (none: "all"); `also` is a second member that may be part of it. Needs time.awk.

BEGIN { FS = "\t" }

index($1, list ".") == 1 {
  n = split(substr($1, length(list) + 2), part, ".")
  if (n != 2) next
  value[part[1], part[2]] = $2
  if (part[1] + 1 > events) events = part[1] + 1
}

END {
  for (i = 0; i < events; i++) {
    key = name == "" ? "all" : value[i, name]
    if (also != "") key = key " " value[i, also]
    printf "%s\t%.3f\t%.3f\n", key, time_seconds(value[i, "begin"]), time_seconds(value[i, "end"])
  }
}
