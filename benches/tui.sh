#!/usr/bin/env bash
# Measures the terminal interface on a catalog of 100 000 tags in 5 000 repositories, through a pseudo-terminal.
#
#   benches/tui.sh
#
# Starts, moves, filters and goes to anything (`ctrl-p`) while nothing runs and while jobs do, and waits for memory and processor.
# Prints one Markdown table: what is measured, the goal, what came out, and whether the goal is met.
#
#   ROADSTEAD_BENCH_DIR=DIR         where the catalog is while it runs: about 400 MiB (the current directory's disk)
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
exec cargo bench --quiet --bench tui -- "$@"
