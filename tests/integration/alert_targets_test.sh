#!/usr/bin/env bash
# A lost device is told to real targets: Debian's Alertmanager, a mail server (aiosmtpd), a webhook and ntfy. It is acknowledged, the
# device comes back, and all of them hear the end. Bad rules are said with their line and change nothing. The webhook's form is that
# which Alertmanager itself sends. Needs the packages prometheus-alertmanager and python3-aiosmtpd. Usage:
# alert_targets_test.sh BIN_DIR
# shellcheck disable=SC2016 # the variables of jq
bin=$1
# shellcheck disable=SC2034
cli_s=60 await_s=90
python=/usr/bin/python3 # Debian's, for which Debian's packages are
missing=""
command -v prometheus-alertmanager >/dev/null || missing+=" prometheus-alertmanager"
$python -c 'import aiosmtpd' 2>/dev/null || missing+=" python3-aiosmtpd"
[ -z "$missing" ] || { echo "FAIL missing: apt-get install$missing" >&2; exit 1; }
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

pids=()
end() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  "$top/scripts/stack" down "$dir"
  rm -rf "$dir"
}
trap end EXIT
mkdir -p "$dir/log" "$dir/came"

# --- the targets ---

# Keeps each post as came/NUMBER.json: path, headers and body, which is a text or JSON. Prints its port.
cat >"$dir/sink.py" <<'P'
import http.server, itertools, json, os, sys
numbers = itertools.count(1)
class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers["Content-Type"] == "application/json":
            body = json.loads(body)
        name = "%s/%04d" % (sys.argv[1], next(numbers))
        with open(name, "w") as file:
            json.dump({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}, file)
        os.rename(name, name + ".json")
        self.send_response(200)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
server.serve_forever()
P
# Prints the mails of a directory, each as one line of JSON.
cat >"$dir/mails.py" <<'P'
import email, email.policy, json, mailbox, sys
for mail in mailbox.Maildir(sys.argv[1], create=False):
    mail = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    print(json.dumps({**{k.lower(): str(v) for k, v in mail.items()}, "body": mail.get_content()}))
P
# Prints a port that is free, below those that the system gives to clients.
free_port() {
  local port
  while port=$((15000 + RANDOM % 5000)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}
open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

$python "$dir/sink.py" "$dir/came" >"$dir/sink.port" 2>"$dir/log/sink.log" &
pids+=($!)
smtp=$(free_port)
$python -m aiosmtpd -n -l "127.0.0.1:$smtp" -c aiosmtpd.handlers.Mailbox "$dir/mails" >"$dir/log/smtp.log" 2>&1 &
pids+=($!)
await "the sink of posts" test -s "$dir/sink.port"
sink=$(cat "$dir/sink.port")
cat >"$dir/alertmanager.yml" <<T
route: { receiver: sink, group_wait: 1s, group_interval: 1s, group_by: [alertname] }
receivers: [{ name: sink, webhook_configs: [{ url: "http://127.0.0.1:$sink/from-alertmanager" }] }]
T
manager=$(free_port)
prometheus-alertmanager --config.file="$dir/alertmanager.yml" --storage.path="$dir/alertmanager" --cluster.listen-address= \
  --web.listen-address="127.0.0.1:$manager" >"$dir/log/alertmanager.log" 2>&1 &
pids+=($!)
manager_is_ready() { curl -fsS -o "$dir/said" "http://127.0.0.1:$manager/-/ready" 2>/dev/null; }
await "Alertmanager" manager_is_ready
await "the mail server" open "$smtp"

# --- the stack ---

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --devices "edge-1"
rules() {
  cat <<T
[notify]
wait = "1s"
interval = "5s"
[[target]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:$sink/hook"
[[target]]
name = "manager"
type = "alertmanager"
url = "http://127.0.0.1:$manager"
[[target]]
name = "mail"
type = "smtp"
url = "smtp://127.0.0.1:$smtp"
from = "fieldwork@example.org"
to = ["ann@example.org", "bob@example.org"]
[[target]]
name = "phone"
type = "ntfy"
url = "http://127.0.0.1:$sink/ntfy"
T
}
# Another file takes its place, so that nobody reads half of it.
change_rules() { cat >"$dir/alerts.new" && mv "$dir/alerts.new" "$dir/alerts.toml"; }
target_names() { cli alert rules ls --json 2>"$dir/said" | jq -r '[.targets[].target] | sort | join(" ")'; }
has_targets() { [ "$(target_names)" = "hook mail manager phone" ]; }
rules | change_rules
await "four targets" has_targets

# Bad rules: said with their line, and those before stay.
lines=$(rules | wc -l)
{ rules; printf '[[rule]]\nname = "odd"\nover = "device"\nwhen = "presence === lost"\n'; } | change_rules
rules_are_bad() { cli alert rules ls >"$dir/rules" 2>&1 && grep -qF "alerts.toml:$((lines + 4))" "$dir/rules"; }
await "the line of the bad rule" rules_are_bad
check "$(grep -q 'the rules before stay' "$dir/rules" && has_targets && echo yes)" "bad rules change nothing: $(cat "$dir/rules")"
check "$(cli alert rules ls --json | jq -r 'select([.rules[].rule] | index("device_lost") != null and index("odd") == null) | "yes"')" \
  "the rules before stay"
code=0
cli alert rules check "$dir/alerts.toml" >"$dir/said" 2>&1 || code=$?
check "$([ $code = 2 ] && grep -qF "alerts.toml:$((lines + 4))" "$dir/said" && echo yes)" "rules check: code $code, $(cat "$dir/said")"

# Who has no certificate is refused, and that is told.
for _ in {1..20}; do
  mosquitto_pub -h localhost -p "$(port devices)" --cafile "$dir/pki/service-ca.crt" --tls-version tlsv1.3 -t x -m x >"$dir/said" 2>&1 || true
done

# --- a device is lost ---

alert=device_lost.edge-1
# came PATH FILTER: whether a post to PATH came for which jq's FILTER is true
came() {
  local files=("$dir"/came/*.json)
  [ -e "${files[0]}" ] && jq -e -s --arg path "$1" --arg alert "$alert" \
    "any(.[] | select(.path == \$path); $2)" "${files[@]}" >"$dir/said"
}
manager_says() {  # FILTER over its alerts
  curl -fsS "http://127.0.0.1:$manager/api/v2/alerts" >"$dir/alerts.json" 2>"$dir/said" && jq -e --arg alert "$alert" "$1" "$dir/alerts.json" >"$dir/said"
}
mail_came() {  # FILTER over one mail
  $python "$dir/mails.py" "$dir/mails" >"$dir/mails.json" 2>"$dir/said" && jq -e -s "any(.[]; $1)" "$dir/mails.json" >"$dir/said"
}
listed() {  # FILTER over `alert ls --all`
  cli alert ls --all --json >"$dir/ls.json" 2>"$dir/said" && jq -e --arg alert "$alert" "any(.[] | select(.alert == \$alert); $1)" "$dir/ls.json" >"$dir/said"
}
fires='.body.alerts[] | select(.fingerprint == $alert) | .status == "firing"'
ends='.body.alerts[] | select(.fingerprint == $alert) | .status == "resolved"'

refused() { cli alert ls --json | jq -e 'any(.[]; .alert == "connections_refused.broker" and (.reason | contains("certificate")))' >"$dir/said" 2>&1; }
await "the refused connections" refused
stack kill "$dir" edge-1
await "the alert in alert ls" listed '.state == "firing" and .rule == "device_lost" and .subject == "edge-1" and .severity == "critical"'
cli alert ls >"$dir/said" 2>&1
check "$(grep -qF "$alert" "$dir/said" && echo yes)" "alert ls: $(cat "$dir/said")"
await "the alert in Alertmanager" manager_says \
  'any(.[]; .labels.alertname == "device_lost" and .labels.subject == "edge-1" and .labels.alert == $alert and .status.state == "active")'
await "the firing message at the webhook" came /hook "$fires"
await "ntfy's message" came /ntfy '.headers.title == "device_lost: edge-1" and .headers.priority == "high"'
await "the mail" mail_came '.subject == "[fieldwork] device_lost: edge-1" and (.body | contains("fieldwork device show edge-1"))'
check "$(mail_came '."x-mailfrom" == "fieldwork@example.org" and (."x-rcptto" | contains("ann@example.org") and contains("bob@example.org"))' && echo yes)" \
  "the mail's addresses: $(cat "$dir/mails.json")"
told() { listed '.told | sort == ["hook", "mail", "manager", "phone"]'; }
await "all targets in told" told

# What Alertmanager sends to a webhook has the keys and types of what we send.
await "Alertmanager's own message" came /from-alertmanager '.body.status == "firing"'
form() {  # PATH
  jq -S -s -c --arg path "$1" 'def kinds: map_values(type);
    [.[] | select(.path == $path and .body.groupLabels.alertname == "device_lost") | .body][0] | kinds, (.alerts[0] | kinds), .version, .groupKey, .groupLabels' "$dir"/came/*.json
}
form /hook >"$dir/ours"
form /from-alertmanager >"$dir/theirs"
check "$(cmp -s "$dir/ours" "$dir/theirs" && echo yes)" "the webhook's form: $(diff "$dir/ours" "$dir/theirs")"

# --- it is acknowledged, and the device comes back ---

acked=$(cli alert ack "$alert" -m "on my way" --json)
check "$(jq -r 'select(.acked.comment == "on my way" and .state == "firing") | "yes"' <<<"$acked")" "alert ack: $acked"
check "$(listed '.acked.comment == "on my way"' && echo yes)" "alert ls says who acknowledged it: $(cat "$dir/ls.json")"
stack start "$dir" edge-1
await "the end in alert ls" listed '.state == "resolved"'
cli alert ls >"$dir/said" 2>&1
check "$(grep -qF "$alert" "$dir/said" || echo yes)" "alert ls shows what fires alone: $(cat "$dir/said")"
await "the end at the webhook" came /hook "$ends"
await "the end in Alertmanager" manager_says 'all(.[] | select(.labels.alert == $alert); (.endsAt | sub("\\.[0-9]+"; "") | fromdate) <= now)'
await "the end at ntfy" came /ntfy '.headers.title == "device_lost: edge-1 is resolved"'
await "the mail of the end" mail_came '.subject == "[fieldwork] device_lost: edge-1 is resolved"'
told_all() { listed '.told == null'; }
await "nobody waits for the end" told_all

# Each was told once of the beginning and once of the end.
for path in /hook /ntfy; do
  count=$(jq -s --arg path $path '[.[] | select(.path == $path and (.body | tostring | contains("device_lost")))] | length' "$dir"/came/*.json)
  check "$([ "$count" = 2 ] && echo yes)" "$count messages of two to $path"
done
count=$(jq -s '[.[] | select(.subject | contains("device_lost"))] | length' "$dir/mails.json")
check "$([ "$count" = 2 ] && echo yes)" "$count mails of two"
verdict || { tail -n 30 "$dir"/log/{alerting,alertmanager,smtp,sink}.log >&2; false; }
