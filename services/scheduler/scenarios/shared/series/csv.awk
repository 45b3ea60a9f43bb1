# Reads a CSV file with a header line, strictly: what is wrong is said with file, line and field, and the program ends
# with 1. The program sets FS = ",", calls csv_header(NEEDED) on line 1 and csv_row() on each other line, and begins its
# END with csv_end(). INPUT_NAME in the environment is the file's name for people. Needs time.

function bad_input(where, what) {
  print "run: " ENVIRON["INPUT_NAME"] ": " where ": " what | "cat 1>&2"
  csv_failed = 1
  exit 1
}

# The text for a message: no longer than one can read, only what can be printed.
function shown(text) {
  text = length(text) > 40 ? substr(text, 1, 40) "..." : text
  gsub(/[^ -~]/, "?", text)
  return "'" text "'"
}

function bad_field(name, what) {
  bad_input("line " NR ", field " name, shown($(column[name])) " " what)
}

# Remembers where the columns are; NEEDED is a list of names with a blank between them.
function csv_header(needed,    i, n, name) {
  sub(/^\357\273\277/, "")  # a byte order mark
  sub(/\r$/, "")
  for (i = NF; i >= 1; i--) column[$i] = i
  width = NF
  n = split(needed, name, " ")
  for (i = 1; i <= n; i++) if (!(name[i] in column)) bad_input("line 1, field " name[i], "there is no such column")
}

# True when the line has something in it. Counts the samples and tells the progress.
function csv_row() {
  sub(/\r$/, "")
  if ($0 == "") return 0
  if (NF != width) bad_input("line " NR ", field " NF, NF " fields, the header has " width)
  progress(++samples, total)
  return 1
}

function csv_end() {
  if (csv_failed) exit 1
  if (NR == 0) bad_input("line 1, field timestamp", "the file is empty")
  if (samples == 0) bad_input("line 2, field timestamp", "there is no sample below the header")
}

# The number in a column; "" when the field is empty: there was no reading.
function csv_number(name,    text) {
  text = $(column[name])
  if (text == "") return ""
  if (text !~ /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/) bad_field(name, "is not a number")
  text += 0
  if (text > 1e12 || text < -1e12) bad_field(name, "is out of range")
  return text
}

# The same, from low to high.
function csv_range(name, low, high,    x) {
  x = csv_number(name)
  if (x != "" && (x < low || x > high)) bad_field(name, "is not from " low " to " high)
  return x
}

# Seconds since 1970 of the time in a column.
function csv_time(name,    seconds) {
  seconds = time_seconds($(column[name]))
  if (seconds == "") bad_field(name, "is not a time such as 2026-03-01T08:15:00, nor seconds")
  return seconds
}

# A name that needs no quoting in JSON.
function csv_name(name,    text) {
  text = $(column[name])
  if (text !~ /^[A-Za-z0-9_.:\/ -]+$/ || length(text) > 64) {
    bad_field(name, "is not a name of 1 to 64 letters, digits, blanks and _ . : / -")
  }
  return text
}

# Appends "progress DONE TOTAL" to the file that FIELDWORK_PROGRESS names, at most once each 10 percent.
function progress(done, of,    tenth) {
  if (done < progress_next) return
  if (of + 0 < done) of = done
  tenth = int(10 * done / of)
  if (tenth > 0 && ENVIRON["FIELDWORK_PROGRESS"] != "") {
    print "progress " done " " of >> ENVIRON["FIELDWORK_PROGRESS"]
    close(ENVIRON["FIELDWORK_PROGRESS"])
  }
  progress_next = (tenth + 1) * of / 10
}
