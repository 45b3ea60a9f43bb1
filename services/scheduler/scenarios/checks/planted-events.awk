# From a truth as CSV with the columns begin,end (and marginal, `name`, `also`): lines for match-events.awk. With `only`
# = a kind, only the rows whose column kind is that. Needs time.awk.

BEGIN { FS = "," }

NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
only != "" && $(column["kind"]) != only { next }
{
  key = name == "" ? "all" : $(column[name])
  if (also != "") key = key " " $(column[also])
  printf "%s\t%.3f\t%.3f\t%d\n", key, time_seconds($(column["begin"])), time_seconds($(column["end"])), \
    ("marginal" in column ? $(column["marginal"]) : 0)
}
