#!/usr/bin/env bash
# Measures publishing beside what Kubo does by itself, on the same bytes, in one run, interleaved.
#
#   benches/publish.sh [moved] [first] [memory] [restore]     all of them without an argument
#
# Prints one Markdown table: medians with minimum and maximum, ratios, the goal, and whether it is met.
# Wants ipfs (Kubo): looked for on PATH and where `tests/peers` puts it.
#
#   ROUNDS=5                        rounds of everything that is interleaved
#   ROADSTEAD_BENCH_DIR=DIR         where catalogs and repositories are while it runs: about 12 GiB (~/.cache/roadstead-bench)
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
caches=${XDG_CACHE_HOME:-$HOME/.cache}
export PATH="$PATH:${ROADSTEAD_TEST_CACHE:-$caches/roadstead-tests}/bin"
export ROADSTEAD_BENCH_ROUNDS=${ROUNDS:-5}
export ROADSTEAD_BENCH_DIR=${ROADSTEAD_BENCH_DIR:-$caches/roadstead-bench}

command -v ipfs >/dev/null || {
    printf 'publish: the program `ipfs` (Kubo) is missing: put it on PATH, or run tests/peers\n' >&2
    exit 1
}
mkdir -p "$ROADSTEAD_BENCH_DIR"
exec cargo bench --quiet --bench publish -- "$@"
