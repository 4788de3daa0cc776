#!/usr/bin/env bash
# Measures what 1 000 busy connections cost `roadstead serve`, and how long a client waits among 10 000 half-sent requests.
#
#   benches/connections.sh
#
# Prints one Markdown table: what is measured, the goal, what came out, and whether the goal is met. Linux alone. Wants a hard
# limit of at least 11 000 open files (`ulimit -Hn`).
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
exec cargo bench --quiet --bench connections -- "$@"
