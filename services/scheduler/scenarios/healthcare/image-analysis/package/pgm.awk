# Reads a plain PGM (P2): "P2", width, height, the highest value, then the pixels, row by row; "#" begins a comment. Sets width,
# height, pixels and grey[0] … Says what is wrong with it with line and field. Wants in the environment: input_name.

BEGIN { pixels_max = 4194304 }

function bad(field, what) {  # does not return; END still runs, and must look at `failed`
  printf "run: %s line %d: %s: %s\n", ENVIRON["input_name"], NR, field, what | "cat 1>&2"
  close("cat 1>&2")
  failed = 1
  exit 1
}

{
  sub(/#.*/, "")
  sub(/\r$/, "")
  for (f = 1; f <= NF; f++) {
    if (header < 4) read_header($f)
    else {
      if ($f !~ /^[0-9]+$/) bad(place(), "not a grey level: \"" substr($f, 1, 40) "\"")
      if ($f + 0 > highest) bad(place(), substr($f, 1, 40) " is above the highest value, " highest)
      if (read_pixels >= pixels) bad("pixels", "more than " pixels)
      grey[read_pixels++] = $f + 0
    }
  }
  if (header == 4 && read_pixels) progress(read_pixels / 2)  # reading is about half of the work
}

function place() { return "pixel x=" read_pixels % width " y=" int(read_pixels / width) }

function read_header(text) {
  if (header == 0) {
    if (text == "P5") bad("format", "P5 is binary; this program reads plain PGM (P2)")
    if (text != "P2") bad("format", "not P2: \"" substr(text, 1, 40) "\"")
  } else if (text !~ /^[0-9]+$/) bad(header_name(), "not a whole number: \"" substr(text, 1, 40) "\"")
  if (header == 1) width = size(text)
  if (header == 2) height = size(text)
  if (header == 3) highest = text + 0
  if (header == 3 && (highest < 1 || highest > 65535)) bad(header_name(), substr(text, 1, 40) " is not from 1 to 65535")
  pixels = width * height
  if (header == 2 && pixels > pixels_max) bad("size", pixels " pixels; at most " pixels_max)
  header++
}

function header_name() { return header == 1 ? "width" : (header == 2 ? "height" : "highest value") }

function size(text) {
  if (text + 0 < 32 || text + 0 > 65536) bad(header_name(), substr(text, 1, 40) " is not from 32 to 65536")
  return text + 0
}

function check_end() {  # call it first in END
  if (failed) exit 1
  if (NR == 0) { NR = 1; bad("format", "the input is empty") }
  if (header < 4) bad("header", "it ends before the pixels")
  if (read_pixels < pixels) bad("pixels", read_pixels + 0 " of " pixels)
}

function progress(done, file) {
  if (done < progress_next) return
  file = ENVIRON["FIELDWORK_PROGRESS"]
  if (file != "") {
    printf "progress %.0f %.0f\n", done, pixels >> file
    close(file)
  }
  progress_next = done >= pixels ? pixels + 1 : (int(done * 10 / pixels) + 1) * pixels / 10
}
