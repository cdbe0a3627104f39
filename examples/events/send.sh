#!/bin/sh
# Sends the event log of a help desk to a server: KEY=pulso_… send.sh helpdesk.csv
# Another server than that of this machine: URL=https://…
# Needs curl and sqlite3 (3.38 or newer). Sent again, every event is a duplicate and nothing changes.
set -eu
: "${KEY:?an API key with the scope events:write}"
file=${1:?the CSV file}
url=${URL:-http://127.0.0.1:8000}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sqlite3 -batch :memory: \
  ".mode csv" ".separator ;" ".import '$file' helpdesk" \
  ".mode list" ".read $here/helpdesk.sql" > "$work/events"

# A request takes 1,000 events. curl waits and asks again where it is told to (429).
split -l 1000 "$work/events" "$work/part."
for part in "$work"/part.*; do
  curl --silent --show-error --fail-with-body --retry 10 \
    -H "Authorization: Bearer $KEY" -H 'Content-Type: application/x-ndjson' \
    --data-binary "@$part" -o "$work/answer" "$url/v1/events"
  sed 's/,"results".*/}/' "$work/answer"
  echo
done
