# Reads one JSON value and prints each of its plain values as a line: path, tab, value. The path of
# {"a":[{"b":1}]} is a.0.b. Ends with 1 and a message when the text is not JSON.

{ text = text $0 "\n" }

END {
  at = 1
  size = length(text)
  read_value("")
  blanks()
  if (at <= size) wrong("something follows the value")
  if (failed) exit 1
}

function wrong(what) {
  if (!failed) print "check: the result is not JSON at character " at ": " what | "cat 1>&2"
  failed = 1
  at = size + 1
}

function peek() { return substr(text, at, 1) }

function blanks() { while (at <= size && index(" \t\r\n", peek())) at++ }

function expect(mark) {
  blanks()
  if (peek() != mark) wrong("expected " mark)
  at++
}

function read_value(path,    mark) {
  blanks()
  mark = peek()
  if (mark == "{") read_members(path, "{", "}")
  else if (mark == "[") read_members(path, "[", "]")
  else if (mark == "\"") print path "\t" read_string()
  else read_plain(path)
}

function read_members(path, open, close_mark,    n, name) {
  expect(open)
  blanks()
  if (peek() == close_mark) { at++; return }
  while (!failed) {
    name = n++
    if (open == "{") {
      blanks()
      name = read_string()
      expect(":")
    }
    read_value(path == "" ? name : path "." name)
    blanks()
    if (peek() == close_mark) { at++; return }
    expect(",")
  }
}

function read_string(    from, mark) {  # escapes stay as they are: none of the results has any
  expect("\"")
  from = at
  while (at <= size && (mark = peek()) != "\"") at += mark == "\\" ? 2 : 1
  if (at > size) wrong("a string without an end")
  at++
  return substr(text, from, at - 1 - from)
}

function read_plain(path,    from, word) {
  from = at
  while (at <= size && !index(" \t\r\n,]}", peek())) at++
  word = substr(text, from, at - from)
  if (word !~ /^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null)$/) wrong("no value: " word)
  print path "\t" word
}
