# Reads CSV with a header line, and says what is wrong with file, line and field. Wants in the environment: input_name
# and FIELDWORK_PROGRESS (may be empty); wants as a variable: total, the number of samples (0: not known).

function bad(field, what) {  # does not return; END still runs, and must look at `failed`
  printf "run: %s line %d: %s: %s\n", ENVIRON["input_name"], NR, field, what | "cat 1>&2"
  close("cat 1>&2")
  failed = 1
  exit 1
}

function read_header(columns, count, i) {
  sub(/\r$/, "")
  count = split(columns, column, ",")
  for (i = 1; i <= count; i++)
    if ($i != column[i]) bad(column[i], "column " i " of the header is \"" substr($i, 1, 40) "\"")
  column_count = count
}

function read_line() {
  sub(/\r$/, "")
  if (NF != column_count) bad(NF < column_count ? column[NF + 1] : "fields", NF " fields; expected " column_count)
}

function number(at, low, high, value) {  # field `at`, which must be from low to high
  if ($at !~ /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/)
    bad(column[at], "not a number: \"" substr($at, 1, 40) "\"")
  value = $at + 0
  if (value < low || value > high) bad(column[at], value " is not from " low " to " high)
  return value
}

function whole(at, low, high) {
  if ($at !~ /^[0-9]+$/) bad(column[at], "not a whole number: \"" substr($at, 1, 40) "\"")
  return number(at, low, high)
}

function check_end() {  # call it first in END
  if (failed) exit 1
  if (NR == 0) { NR = 1; bad("header", "the input is empty") }
  if (NR == 1) bad("samples", "only a header")
}

function progress(done, file) {
  if (total < 1 || done < progress_next) return
  file = ENVIRON["FIELDWORK_PROGRESS"]
  if (file != "") {
    printf "progress %.0f %.0f\n", done, total >> file
    close(file)
  }
  progress_next = done >= total ? total + 1 : (int(done * 10 / total) + 1) * total / 10
}
