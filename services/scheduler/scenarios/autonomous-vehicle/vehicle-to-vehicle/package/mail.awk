# Messages: one line of JSON each, appended to the file outbox; those of the other vehicle are read from the file inbox, which may grow.
# Wants: vehicle, nap (s), wait_s, and in the environment outbox, inbox. Sets newest_ms (how far the peer is known), peer_ended.
#
#   {"id":1,"seq":17,"t_ms":1600,"x_m":1.50,"y_m":20.25,"speed_mps":12.10,"heading_deg":90.5}      a beacon
#   {"id":1,"seq":18,"t_ms":1700,"end":true}                                                        the last message
#
# Messages may be lost, repeated or late. seq counts from 1.

function send(text) {
  last_line = sprintf("{\"id\":%d,\"seq\":%d,\"t_ms\":%.0f,%s}", vehicle, ++sent, own_ms, text)
  send_line()
}

function send_line() {
  print last_line >> ENVIRON["outbox"]
  close(ENVIRON["outbox"])
}

# Reads the next whole line of the inbox into mail_line. What stands after the last newline may be half a message: it is
# read again later, unless it ends like a whole one. Returns 0 when there is no line now.
function read_mail(command, line) {
  command = sprintf("tail -c +%.0f \"$inbox\" 2>/dev/null", read_bytes + 1)
  if (!reading) { reading = command; pending = 0 }
  while ((reading | getline line) > 0) {
    if (!pending++) { mail_line = line; continue }
    pending_line = mail_line; mail_line = line
    return use_line(pending_line)
  }
  close(reading); reading = ""
  if (pending && mail_line ~ /[}]\r?$/) return use_line(mail_line)
  return 0
}

function use_line(line) {
  read_bytes += length(line) + 1
  used_line = line
  return 1
}

function value_of(name, form) {  # "" if it is not there, not of this form or too long
  if (!match(used_line, "\"" name "\" *: *" form " *[,}]")) return ""
  form = substr(used_line, RSTART, RLENGTH - 1)
  sub(/.*: */, "", form)
  sub(/ *$/, "", form)
  return length(form) > 16 ? "" : form
}

# Reads on to the peer's next message that is new. Sets next_…; returns 0 when there is none now.
function fetch(id, seq, ms, number_form) {
  number_form = "-?[0-9]+([.][0-9]+)?"
  while (read_mail()) {
    id = value_of("id", "[0-9]+"); seq = value_of("seq", "[0-9]+"); ms = value_of("t_ms", "[0-9]+")
    next_end = value_of("end", "true")
    next_x = value_of("x_m", number_form); next_y = value_of("y_m", number_form)
    next_speed = value_of("speed_mps", number_form); next_heading = value_of("heading_deg", number_form)
    if (used_line !~ /^ *[{].*[}] *\r?$/ || id == "" || seq == "" || seq < 1 || ms == "" ||
        (next_end == "" && (next_x == "" || next_y == "" || next_speed == "" || next_heading == ""))) { malformed++; continue }
    if (peer == "" && id != vehicle) peer = id + 0
    if (id + 0 != peer) { foreign++; continue }
    if (is_new(seq + 0)) { note_time(ms + 0); return 1 }
  }
  return 0
}

function note_time(ms) {
  next_ms = ms; silent = 0
  if (newest_ms == "" || ms > newest_ms) newest_ms = ms
  if (next_end != "") peer_ended = 1
}

# Counts gaps in the sequence. A message that fills a gap of the last 256 is late, another with an old number is repeated.
function is_new(seq) {
  if (seq > highest_seq) {
    lost += seq - highest_seq - 1
    highest_seq = seq
  } else if (highest_seq - seq >= 256 || seen[seq % 256] == seq) { repeated++; return 0 }
  else { lost--; late++ }
  seen[seq % 256] = seq
  heard++
  return 1
}

# Waits for the inbox to grow; returns 0 when wait_s are over or if the peer was silent before. The last message is repeated each
# second: if it was lost, the peer may be waiting for it.
function wait_for_mail(naps) {
  if (silent) return 0
  for (naps = 1; naps * nap <= wait_s; naps++) {
    system("sleep " nap)
    waited += nap
    if (naps * nap >= repeats + 1) { repeats++; send_line() }
    if (fetch()) { repeats = 0; return 1 }
  }
  repeats = 0; silent = 1
  return 0
}
