#!/usr/bin/env bash
# What keeping a registry current costs.
#
#   benches/rules.sh            choosing among 100 000 tags, an unattended run over 1 000 repositories with nothing new, its memory
#
# Prints one Markdown table. The run is compared with its bare requests: one list a repository and one HEAD for each image, sent by one
# curl with as many connections. Wants docker-registry, skopeo, curl and GNU time.
#
#   ROUNDS=5                        rounds, interleaved
#   REPOSITORIES=1000               repositories, each with two mirrored tags
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
repositories=${REPOSITORIES:-1000}
connections=8
work=$(mktemp -d)
trap 'kill "${registry:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
for program in docker-registry skopeo curl; do
    command -v "$program" >/dev/null || { echo "rules: the program \`$program\` is missing" >&2; exit 1; }
done

cargo build --release --locked --quiet
roadstead=$PWD/target/release/roadstead
port=$((20000 + RANDOM % 20000))
host=127.0.0.1:$port

# --- A registry with many small repositories -------------------------------------------------------------------------

cat >"$work/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/storage}}
http: {addr: $host}
EOF
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
until curl -fsS "http://$host/v2/" >/dev/null 2>&1; do kill -0 "$registry"; done

config='{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'
digest() { printf 'sha256:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }
config_digest=$(digest "$config")
manifest='{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"'$config_digest'","size":'${#config}'},"layers":[]}'
echo "rules: filling a registry with $repositories repositories" >&2
for ((number = 0; number < repositories; number++)); do
    base=http://$host/v2/app$number
    place=$(curl -fsS -o /dev/null -D - -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "$config" "$place&digest=$config_digest"
    for tag in 1.0.0 1.0.1 1.1.0 latest; do
        printf 'url = "%s/manifests/%s"\nrequest = "PUT"\nheader = "Content-Type: application/vnd.oci.image.manifest.v1+json"\ndata = "@%s"\noutput = "/dev/null"\nnext\n' \
            "$base" "$tag" "$work/manifest"
    done >"$work/tags"
    printf %s "$manifest" >"$work/manifest"
    sed -i '$d' "$work/tags"
    curl -fsS -K "$work/tags"
done

: >"$work/config.toml"
export ROADSTEAD_DATA_DIR=$work/data ROADSTEAD_CONFIG=$work/config.toml
{
    echo 'version = 1'
    for ((number = 0; number < repositories; number++)); do
        printf '[[rule]]\nimage = "%s/app%d"\ntags = ["1.#.#"]\nnewest = 2\nmax_new = 100\n' "$host" "$number"
    done
} >"$work/mirror.toml"
"$roadstead" root --profile unixfs-v1-2025 >/dev/null
"$roadstead" -q rule use "$work/mirror.toml"
echo "rules: the first run" >&2
"$roadstead" -q update --yes >/dev/null

# The bare requests: one list a repository, one HEAD an image.
{
    for ((number = 0; number < repositories; number++)); do
        printf 'url = "http://%s/v2/app%d/tags/list?n=1000"\noutput = "/dev/null"\nnext\n' "$host" "$number"
    done
} | sed '$d' >"$work/lists"
{
    for ((number = 0; number < repositories; number++)); do
        for tag in 1.0.1 1.1.0; do
            printf 'url = "http://%s/v2/app%d/manifests/%s"\nhead\nheader = "Accept: application/vnd.oci.image.manifest.v1+json"\noutput = "/dev/null"\nnext\n' \
                "$host" "$number" "$tag"
        done
    done
} | sed '$d' >"$work/heads"

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
seconds() {
    local begin=$EPOCHREALTIME
    "$@" >/dev/null
    local end=$EPOCHREALTIME
    awk -v begin="$begin" -v end="$end" 'BEGIN { printf "%.3f\n", end - begin }'
}
bare() {
    curl -sS --parallel --parallel-max "$connections" -K "$work/lists"
    curl -sS --parallel --parallel-max "$connections" -K "$work/heads"
}
: >"$work/run" >"$work/bare" >"$work/memory"
for ((round = 0; round < rounds; round++)); do
    seconds bare >>"$work/bare"
    seconds "$roadstead" -q update --yes >>"$work/run"
    /usr/bin/time -f %M -a -o "$work/memory" "$roadstead" -q update --yes >/dev/null
done

echo "rules: choosing" >&2
cargo bench --quiet --bench rules -- --output-format bencher 2>/dev/null >"$work/choosing" || cargo bench --bench rules >"$work/choosing"
nanoseconds() { sed -n "s/^test $1 .*bench: *\([0-9,]*\) ns.*/\1/p" "$work/choosing" | tr -d ,; }
choosing=$(nanoseconds '20 rules, 100 000 tags')
preview=$(nanoseconds 'the preview of a key, 100 000 tags')

run=$(median <"$work/run")
sent=$(median <"$work/bare")
memory=$(median <"$work/memory")
awk -v run="$run" -v bare="$sent" -v memory="$memory" -v choosing="$choosing" -v preview="$preview" -v repositories="$repositories" '
    function met(value, goal) { return value <= goal ? "met" : "missed" }
    BEGIN {
        print "| figure | measured | goal | |"
        print "|---|---|---|---|"
        printf "| 20 rules choose among 100 000 tags | %.1f ms | 100 ms | %s |\n", choosing / 1e6, met(choosing / 1e6, 100)
        printf "| a run over %d repositories with nothing new, beside its bare requests | %.2f s : %.2f s = %.2f x | 1.2 x | %s |\n",
            repositories, run, bare, run / bare, met(run / bare, 1.2)
        printf "| its memory | %.1f MiB | 64 MiB | %s |\n", memory / 1024, met(memory / 1024, 64)
        printf "| the preview of a key, 100 000 tags | %.1f ms | 50 ms | %s |\n", preview / 1e6, met(preview / 1e6, 50)
    }'
