#!/usr/bin/env bash
# Has another program check the log: Tessera's fsck reads every
# tile and bundle of a demo register over HTTP. Needs curl, and the module proxy.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$work"' EXIT

if ! GOBIN="$work" go install github.com/transparency-dev/tessera/cmd/fsck@v1.0.4; then
  echo "skipped: Tessera's fsck cannot be installed here"
  exit 0
fi
go build -o "$work/jointlab" ./cmd/jointlab
"$work/jointlab" serve --demo --data "$work/data" --listen 127.0.0.1:0 >"$work/out" 2>&1 &
server=$!
until grep -q 'listens on' "$work/out"; do
  kill -0 "$server" || { cat "$work/out"; exit 1; }
  sleep 0.1
done
url=$(grep -o 'http://[^ ]*' "$work/out" | head -1)
curl -fsS "$url/v1/audit/proof?position=500" >"$work/proof" # waits until it is signed
"$work/jointlab" audit key --data "$work/data" >"$work/key"
# It exits with 0 whatever it finds, so look for the line that reports success.
"$work/fsck" --storage_url="$url/log/" --public_key="$work/key" -N 4 --ui=false 2>&1 | tee "$work/report"
grep -q "Successfully fsck'd" "$work/report"
