# What the scripts beside it share: where they work, statistics, the table, images, ports. Sourced from the repository's root, under
# `set -euo pipefail`.

export LC_ALL=C
me=$(basename "$0" .sh)
rounds=${ROUNDS:-5}
caches=${XDG_CACHE_HOME:-$HOME/.cache}
peers=${ROADSTEAD_TEST_CACHE:-$caches/roadstead-tests}

say() { printf '%s: %s\n' "$me" "$*" >&2; }
fail() {
    printf "$me: %s\n" "$@" >&2
    exit 1
}
# need PROGRAM…: ends if one of them is missing.
need() {
    local program
    for program in "$@"; do command -v "$program" >/dev/null || fail "the program \`$program\` is missing"; done
}
need_time() { [[ -x /usr/bin/time ]] || fail "the program \`time\` is missing"; }

# choose DEFAULT OTHERS [PART…]: what is measured; both are lists of words, and DEFAULT is what nothing said means.
choose() {
    local default=$1 others=$2 part
    shift 2
    read -ra parts <<<"${*:-$default}"
    for part in "${parts[@]}"; do
        [[ " $default $others " == *" $part "* ]] || fail "there is no part \`$part\`"
    done
}
wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }

# workspace DIRECTORY: a directory below it, $work, that goes with the script; so do processes that are added to $started.
workspace() {
    mkdir -p "$1"
    work=$(mktemp -d "$(cd "$1" && pwd)/$me.XXXXXX")
    started=()
    trap finish EXIT
    export ROADSTEAD_CONFIG=$work/config.toml
    : >"$ROADSTEAD_CONFIG"
    : >"$work/table"
}
finish() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
# end PID: of what was started here.
end() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
# programs: $roadstead, and $bench, which is `benches/reach.rs`: those that ROADSTEAD names, or a release that is built.
programs() {
    local built
    if [[ -n ${ROADSTEAD:-} ]]; then
        read -r roadstead bench <<<"$ROADSTEAD"
        return
    fi
    say "building the release"
    built=$(cargo bench --no-run --locked --quiet --message-format=json --bench reach)
    roadstead=$(jq -r 'select(.executable and .target.kind == ["bin"]).executable' <<<"$built")
    bench=$(jq -r 'select(.executable and .target.kind == ["bench"]).executable' <<<"$built")
}

# --- Statistics ------------------------------------------------------------------------------------------------------

# note NAME VALUE: one measurement.
note() { printf '%s\n' "$2" >>"$work/$1.values"; }
sorted() { sort -g "$work/$1.values"; }
median() { sorted "$1" | awk '{v[NR]=$1} END {print NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
most() { sorted "$1" | tail -n 1; }
# spread NAME FORMAT: median (minimum–maximum).
spread() { sorted "$1" | awk -v f="$2" '{v[NR]=$1} END {m = NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2
    printf f " (" f "–" f ")", m, v[1], v[NR]}'; }
divide() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", a / b}'; }
subtract() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", a - b}'; }
# row FIGURE OURS OTHER VALUE UNIT GOAL: GOAL is `<=N` or `>=N`, on VALUE; nothing for a row that is for information.
row() {
    local met='' goal='' value
    if [[ -n $6 ]]; then
        met=$(awk -v v="$4" -v g="$6" 'BEGIN {n = substr(g, 3) + 0
            ok = substr(g, 1, 2) == "<=" ? v <= n : v >= n
            if (ok) {print "yes"; exit}
            if (n == 0) {print "no"; exit}
            printf "no: %.0f %% off", (substr(g, 1, 2) == "<=" ? v / n - 1 : 1 - v / n) * 100}')
        goal=${6/<=/≤ } goal="${goal/>=/≥ }$5"
    fi
    value=$(awk -v v="$4" 'BEGIN {printf v == int(v) ? "%d" : v < 10 ? "%.2f" : "%.1f", v}')
    printf '| %s | %s | %s | %s%s | %s | %s |\n' "$1" "$2" "$3" "$value" "$5" "$goal" "$met" >>"$work/table"
}
print_table() {
    printf '| figure | Roadstead | the other | ratio or value | goal | met |\n|---|---|---|---|---|---|\n'
    cat "$work/table"
}

# timed NAME COMMAND…: its wall time in seconds.
timed() {
    local name=$1 begin end
    shift
    begin=$EPOCHREALTIME
    "$@" >"$work/output" 2>&1 || fail "$name failed:" "$(cat "$work/output")"
    end=$EPOCHREALTIME
    note "$name" "$(subtract "$end" "$begin")"
}
# until_true COMMAND…: until it succeeds; two minutes at most.
until_true() {
    local try
    for ((try = 0; try < 12000; try++)); do
        "$@" && return
        sleep 0.01
    done
    fail "this never came true: $*"
}
# settle: what was written before is on the disk, so that nobody's writing is measured with another's.
settle() { sync -f "$work"; }
# load: of the machine, to be said beside a round.
load() { cut -d' ' -f1 /proc/loadavg; }

port() {
    local port
    for port in $(shuf -i 20000-31999 -n 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            printf '%s\n' "$port"
            return
        }
    done
    fail "no free port"
}

# --- Images ----------------------------------------------------------------------------------------------------------

# noise BYTES SEED: bytes that can't be compressed, the same for the same seed.
noise() { openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$2")" -iv 0 -in /dev/zero 2>/dev/null | head -c "$1" || true; }

# layer BYTES SEED DIRECTORY: writes a layer to the file `layer` there, and prints its media type and the digest of its tar archive.
layer() {
    noise "$1" "$2" >"$3/layer"
    printf 'application/vnd.oci.image.layer.v1.tar %s\n' "$(sha256sum <"$3/layer" | cut -d' ' -f1)"
}

# layout DIRECTORY LAYERS BYTES SEED [LAYER]: an image of so many layers of so many bytes, as an OCI layout; LAYER makes one (`layer`).
layout() {
    local blobs=$1/blobs/sha256 make=${5:-layer} number hex size type diff layers='' diffs='' media=application/vnd.oci.image
    rm -rf "$1"
    mkdir -p "$blobs"
    for ((number = 0; number < $2; number++)); do
        read -r type diff < <("$make" "$3" "$4$number" "$blobs")
        hex=$(sha256sum <"$blobs/layer" | cut -d' ' -f1) size=$(stat -c %s "$blobs/layer")
        mv "$blobs/layer" "$blobs/$hex"
        diffs+="${diffs:+,}\"sha256:$diff\""
        layers+="${layers:+,}{\"mediaType\":\"$type\",\"digest\":\"sha256:$hex\",\"size\":$size}"
    done
    place() {
        printf '%s' "$1" >"$blobs/place"
        hex=$(sha256sum <"$blobs/place" | cut -d' ' -f1) size=$(stat -c %s "$blobs/place")
        mv "$blobs/place" "$blobs/$hex"
    }
    place "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$diffs]}}"
    place "{\"schemaVersion\":2,\"mediaType\":\"$media.manifest.v1+json\",\"config\":{\"mediaType\":\"$media.config.v1+json\",\"digest\":\"sha256:$hex\",\"size\":$size},\"layers\":[$layers]}"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"amd64","os":"linux"}}]}' "$media" "$hex" "$size" >"$1/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
}
