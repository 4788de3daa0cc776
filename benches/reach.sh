#!/usr/bin/env bash
# What it costs that Roadstead is an IPFS node of its own, and that others follow it.
#
#   benches/reach.sh [pin] [follow] [moved] [together] [index] [cost]     all of them without an argument
#   benches/reach.sh cold                                                 two cold builds, with and without the swarm
#
#   pin         a Kubo pins 1 GiB from us, by bitswap and from our gateway, beside the same from another Kubo
#   follow      a follower takes 1 GiB, beside one curl of the same blobs
#   moved       one tag moves among 10 000 images
#   together    ten followers start at once
#   index       where the blocks of 1 TB are
#   cost        packages, memory at rest, and size of the program with and without the swarm
#
# Prints one Markdown table: medians with minimum and maximum, ratios, the goal, and whether it is met. Linux alone: processor time
# and memory are what /proc says. Wants curl, jq, openssl, GNU time, and ipfs (Kubo): looked for on PATH and where `tests/peers`
# puts it.
#
#   ROUNDS=5                        rounds of everything that is interleaved
#   MIB=1024                        size of the image
#   FOLLOWERS=10                    followers that start at once, of a quarter of that
#   REPOSITORIES=1000               repositories with ten images each, among which a tag moves
#   ROADSTEAD_BENCH_DIR=DIR         where catalogs and repositories are while it runs: about 8 GiB (~/.cache/roadstead-bench)
#   ROADSTEAD_REACH="PROGRAM BENCH" measures these two files instead of building: the program, and `benches/reach.rs`
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
mebibytes=${MIB:-1024}
followers=${FOLLOWERS:-10}
caches=${XDG_CACHE_HOME:-$HOME/.cache}
export ROADSTEAD_BENCH_DIR=${ROADSTEAD_BENCH_DIR:-$caches/roadstead-bench}
export PATH="${ROADSTEAD_TEST_CACHE:-$caches/roadstead-tests}/bin:$PATH"
export IPFS_TELEMETRY=off

say() { printf 'reach: %s\n' "$*" >&2; }
fail() {
    printf 'reach: %s\n' "$@" >&2
    exit 1
}

parts=("$@")
[[ $# -gt 0 ]] || parts=(pin follow moved together index cost)
for part in "${parts[@]}"; do
    case $part in pin | follow | moved | together | index | cost | cold) ;; *) fail "there is no part \`$part\`" ;; esac
done
wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }
for program in curl jq openssl ipfs; do command -v "$program" >/dev/null || fail "the program \`$program\` is missing"; done
[[ -x /usr/bin/time ]] || fail "the program \`time\` is missing"

mkdir -p "$ROADSTEAD_BENCH_DIR"
work=$(mktemp -d "$ROADSTEAD_BENCH_DIR/reach.XXXXXX")
export ROADSTEAD_BENCH_DIR=$work
started=()
finish() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
# end PID: of what was started here.
end() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

if [[ -n ${ROADSTEAD_REACH:-} ]]; then
    read -r roadstead bench <<<"$ROADSTEAD_REACH"
else
    say "building the release"
    built=$(cargo bench --no-run --locked --quiet --message-format=json --bench reach)
    roadstead=$(jq -r 'select(.executable and .target.kind == ["bin"]).executable' <<<"$built")
    bench=$(jq -r 'select(.executable and .target.kind == ["bench"]).executable' <<<"$built")
fi
export ROADSTEAD_CONFIG=$work/config.toml
: >"$ROADSTEAD_CONFIG"

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
            by = substr(g, 1, 2) == "<=" ? v / n - 1 : 1 - v / n
            if (ok) print "yes"; else printf "no: %.0f %% off", by * 100}')
        goal=${6/<=/≤ } goal="${goal/>=/≥ }$5"
    fi
    value=$(awk -v v="$4" 'BEGIN {printf v < 10 ? "%.2f" : "%.1f", v}')
    printf '| %s | %s | %s | %s%s | %s | %s |\n' "$1" "$2" "$3" "$value" "$5" "$goal" "$met" >>"$work/table"
}
: >"$work/table"

# processor PID: seconds of processor time so far; its own and the system's for it.
processor() { awk -v tick="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / tick}' "/proc/$1/stat"; }
# memory PID LINE: VmHWM or VmRSS, in MiB.
memory() { awk -v line="$2:" '$1 == line {printf "%.1f\n", $2 / 1024}' "/proc/$1/status"; }
# timed NAME COMMAND…: its wall time in seconds.
timed() {
    local name=$1 begin end
    shift
    begin=$EPOCHREALTIME
    "$@" >"$work/output" 2>&1 || fail "$name failed:" "$(cat "$work/output")"
    end=$EPOCHREALTIME
    note "$name" "$(subtract "$end" "$begin")"
}
# until COMMAND…: until it succeeds; two minutes at most.
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

# --- An image, and who gives it out ----------------------------------------------------------------------------------

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

# noise BYTES SEED: bytes that can't be compressed, the same for the same seed.
noise() { openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$2")" -iv 0 -in /dev/zero 2>/dev/null | head -c "$1" || true; }

# layout DIRECTORY MEBIBYTES: an image of three layers, as an OCI layout.
layout() {
    local blobs=$1/blobs/sha256 each=$(($2 * 1048576 / 3)) number hex size layers='' diffs='' media=application/vnd.oci.image
    mkdir -p "$blobs"
    for number in 1 2 3; do
        noise "$each" "$2$number" >"$blobs/layer"
        hex=$(sha256sum <"$blobs/layer" | cut -d' ' -f1)
        mv "$blobs/layer" "$blobs/$hex"
        diffs+="${diffs:+,}\"sha256:$hex\""
        layers+="${layers:+,}{\"mediaType\":\"$media.layer.v1.tar\",\"digest\":\"sha256:$hex\",\"size\":$each}"
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

# publisher MEBIBYTES: a catalog with an image of that size, published to itself, once; its directory is $publisher.
publisher() {
    publisher=$work/publisher-$1
    [[ -d $publisher ]] && return
    say "making an image of $1 MiB"
    layout "$work/layout" "$1"
    "$roadstead" -q --data-dir "$publisher" add --platform linux/amd64 --as large:1 "oci:$work/layout" >/dev/null
    rm -rf "$work/layout"
    "$roadstead" -q --data-dir "$publisher" target add home --self --ipns >/dev/null
    "$roadstead" -q --data-dir "$publisher" publish --yes >/dev/null
}
root_of() { "$roadstead" --data-dir "$1" root; }
name_of() { "$roadstead" --data-dir "$1" --json target key list | jq -r '.[0].id'; }

# serve DIRECTORY OPTION…: a server; its process is $server, its URL $url, and its log $log.
serve() {
    local directory=$1
    shift
    log=$(mktemp "$work/serve.XXXXXX")
    "$roadstead" --data-dir "$directory" -v serve --listen "${listen:-127.0.0.1}:0" "$@" 2>"$log" >/dev/null &
    server=$!
    started+=("$server")
    until_true grep -q 'serving on http' "$log"
    url=http://127.0.0.1:$(sed -n 's/^.*serving on http.*:\([0-9]*\).*$/\1/p' "$log" | head -n 1)
}
# serve_swarm DIRECTORY: the same, as a peer that knows nobody; its multiaddr is $peer.
serve_swarm() {
    local swarm
    swarm=/ip4/127.0.0.1/tcp/$(port)
    serve "$1" --ipfs --swarm "$swarm" --swarm-peer /ip4/127.0.0.1/tcp/1
    peer=$swarm/p2p/$(sed -n 's/.*as peer \(12D3[A-Za-z0-9]*\) .*/\1/p' "$log")
}

# kubo DIRECTORY [ROUTER]: an empty daemon that knows nobody; with a router, it asks that alone and takes over HTTP. Its process is $daemon.
kubo() {
    local swarm said
    export IPFS_PATH=$1
    swarm=$(port)
    ipfs init --empty-repo --profile=test,unixfs-v1-2025 >/dev/null
    configured() { ipfs config --json "$1" "$2"; }
    configured Addresses.Swarm "[\"/ip4/127.0.0.1/tcp/$swarm\"]"
    configured Bootstrap '[]'
    configured AutoConf.Enabled false
    configured Discovery.MDNS.Enabled false
    configured AutoTLS.Enabled false
    configured Swarm.DisableNatPortMap true
    configured Provide.Enabled false
    if [[ -n ${2:-} ]]; then
        configured Routing.Type '"delegated"'
        configured Routing.DelegatedRouters "[\"$2\"]"
        configured HTTPRetrieval '{"Enabled":true}'
    else
        configured Routing.Type '"none"'
    fi
    said=$1/daemon.log
    ipfs daemon >"$said" 2>&1 &
    daemon=$!
    started+=("$daemon")
    until_true grep -q 'Daemon is ready' "$said"
    # A Kubo gives no other one a block without bytes, and waits for it for ever (0.43): the tree has an empty file.
    : | ipfs add --quieter >/dev/null
}

# --- A Kubo pins -----------------------------------------------------------------------------------------------------

# pin NAME SERVER ROOT [peer ADDRESS | router URL]: a new Kubo pins it; notes time, and the processor time of both.
pin() {
    local name=$1 serving=$2 root=$3 ours theirs
    kubo "$work/taker" "$([[ $4 == router ]] && echo "$5" || true)"
    [[ $4 != peer ]] || ipfs swarm connect "$5" >/dev/null
    settle
    ours=$(processor "$serving") theirs=$(processor "$daemon")
    timed "$name-seconds" timeout 300 ipfs pin add --progress=false "$root"
    note "$name-processor" "$(subtract "$(processor "$serving")" "$ours")"
    note "$name-taker" "$(subtract "$(processor "$daemon")" "$theirs")"
    end "$daemon"
    rm -rf "$work/taker"
}

if wanted pin; then
    publisher "$mebibytes"
    root=$(root_of "$publisher")
    serve_swarm "$publisher"
    by_swarm=$server swarm_peer=$peer
    serve "$publisher" --ipfs --no-swarm
    by_gateway=$server gateway=$url
    "$roadstead" -q --data-dir "$publisher" export "$work/all.car" >/dev/null
    kubo "$work/giver"
    giver=$daemon
    ipfs dag import --pin-roots=false "$work/all.car" >/dev/null
    rm "$work/all.car"
    giver_peer=$(ipfs id | jq -r '[.Addresses[] | select(contains("/tcp/"))][0]')
    # The first round warms the page cache.
    for ((round = 0; round <= rounds; round++)); do
        say "a Kubo pins: round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)"
        pin kubo "$giver" "$root" peer "$giver_peer"
        pin swarm "$by_swarm" "$root" peer "$swarm_peer"
        pin gateway "$by_gateway" "$root" router "$gateway"
        [[ $round -gt 0 ]] || rm "$work"/{kubo,swarm,gateway}-*.values
    done
    for way in swarm gateway; do
        what="by bitswap over TCP" process=$by_swarm
        [[ $way == swarm ]] || what="from our gateway" process=$by_gateway
        row "a Kubo pins $mebibytes MiB $what: time, beside the same from another Kubo by bitswap" "$(spread $way-seconds %.2f) s" \
            "$(spread kubo-seconds %.2f) s" "$(divide "$(median $way-seconds)" "$(median kubo-seconds)")" " ×" "<=1.0"
        row "the same: processor time of who gives" "$(spread $way-processor %.2f) s" \
            "$(spread kubo-processor %.2f) s" "$(divide "$(median $way-processor)" "$(median kubo-processor)")" " ×" "<=0.5"
        row "the same: peak memory of who gives" "" "$(memory "$giver" VmHWM) MiB" "$(memory "$process" VmHWM)" " MiB" "<=64"
        row "the same: processor time of who takes" "$(spread $way-taker %.2f) s" \
            "$(spread kubo-taker %.2f) s" "$(divide "$(median $way-taker)" "$(median kubo-taker)")" " ×" ""
    done
    end "$by_swarm" && end "$by_gateway" && end "$giver"
    rm -rf "$work/giver"
fi

# --- A follower takes ------------------------------------------------------------------------------------------------

# take NAME FROM OPTION…: a new follower takes everything once.
take() {
    local name=$1 from=$2
    shift 2
    settle
    timed "$name-seconds" /usr/bin/time -f %M -o "$work/peak" "$roadstead" -q --data-dir "$work/follower" follow "$followed" --once --from "$from" "$@"
    note "$name-memory" "$(divide "$(tail -n 1 "$work/peak")" 1024)"
    [[ $(root_of "$work/follower") == "$root" ]] || fail "the follower holds another root"
    rm -rf "$work/follower"
}
# fetch [sync]: one curl of the blobs, to files.
fetch() {
    local digest urls=()
    mkdir "$work/fetched"
    for digest in "${digests[@]}"; do urls+=(-o "$work/fetched/$digest" "$url/v2/large/blobs/$digest"); done
    curl -fsS "${urls[@]}"
    [[ -z ${1:-} ]] || sync "$work/fetched"/*
}

if wanted follow; then
    publisher "$mebibytes"
    root=$(root_of "$publisher") followed=$(name_of "$publisher")
    listen=0.0.0.0 serve_swarm "$publisher"
    mapfile -t digests < <(find "$publisher/blobs" -type f -size +1M -printf 'sha256:%f\n')
    # From an address that is not loopback a follower takes whole files, as it does from another machine.
    own=$(hostname -I | tr ' ' '\n' | grep -m 1 '^[0-9][0-9.]*$' || echo 127.0.0.1)
    local_url=$url url=http://$own:${url##*:}
    for ((round = 0; round <= rounds; round++)); do
        say "a follower takes: round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)"
        settle
        timed curl-seconds fetch sync
        rm -r "$work/fetched"
        settle
        timed cached-seconds fetch
        rm -r "$work/fetched"
        take http "$url"
        take local "$local_url"
        take peer "$peer" --swarm-peer /ip4/127.0.0.1/tcp/1
        [[ $round -gt 0 ]] || rm "$work"/{curl,cached,http,local,peer}-*.values
    done
    rate() { awk -v s="$(median "$1")" -v m="$mebibytes" 'BEGIN {printf "%.0f MiB/s", m / s}'; }
    row "a follower takes $mebibytes MiB over HTTP: rate, beside one curl of the blobs and \`sync\`" "$(spread http-seconds %.2f) s, $(rate http-seconds)" \
        "$(spread curl-seconds %.2f) s, $(rate curl-seconds)" "$(divide "$(median curl-seconds)" "$(median http-seconds)")" " ×" ">=0.9"
    row "the same: beside a curl that leaves the bytes in the page cache" "" "$(spread cached-seconds %.2f) s, $(rate cached-seconds)" \
        "$(divide "$(median cached-seconds)" "$(median http-seconds)")" " ×" ""
    row "the same: peak memory of the follower" "$(spread http-memory %.1f) MiB" "" "$(most http-memory)" " MiB" "<=48"
    row "the same from this very machine, a block at a time" "$(spread local-seconds %.2f) s, $(rate local-seconds)" "" \
        "$(divide "$(median curl-seconds)" "$(median local-seconds)")" " ×" ""
    row "the same by bitswap: rate, beside that curl" "$(spread peer-seconds %.2f) s, $(rate peer-seconds)" "" \
        "$(divide "$(median curl-seconds)" "$(median peer-seconds)")" " ×" ""
    row "the same by bitswap: peak memory of the follower" "$(spread peer-memory %.1f) MiB" "" "$(most peer-memory)" " MiB" "<=48"
    end "$server"
fi

# --- One tag moves among many images ---------------------------------------------------------------------------------

# holds DIRECTORY ROOT: whether a follower holds it.
holds() { [[ $("$roadstead" --data-dir "$1" --json follow status 2>/dev/null | jq -r .root) == "$2" ]]; }
# digest_at URL NAME TAG: what is served under a tag.
digest_at() { curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$1/v2/$2/manifests/$3" | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'; }
serves() { [[ $(digest_at "$1" "$2" "$3") == "$4" ]]; }
# since LINE: the publisher's log from there on.
since() { tail -n "+$(($1 + 1))" "$publisher_log"; }
moved_record() { since "$1" | grep -m 1 'path="/routing/v1/ipns/[^ ]* status=200'; }

if wanted moved; then
    repositories=${REPOSITORIES:-1000} tags=10 directory=$work/many
    say "filling a registry with $((repositories * tags)) images"
    coproc registry { "$bench" registry "$repositories" "$tags"; }
    started+=("$registry_PID")
    read -r host <&"${registry[0]}"
    for ((number = 0; number < repositories; number++)); do
        for ((tag = 0; tag < tags; tag++)); do printf '%s/team-%d/r%d:1.%d\n' "$host" $((number / 100)) "$number" "$tag"; done
    done | "$roadstead" -q --data-dir "$directory" add --insecure --platform linux/amd64 - >/dev/null
    "$roadstead" -q --data-dir "$directory" target add home --self --ipns >/dev/null
    "$roadstead" -q --data-dir "$directory" publish --yes >/dev/null
    serve "$directory" --ipfs --no-swarm
    published_by=$server publisher_log=$log publisher_url=$url
    say "a follower takes them"
    begin=$EPOCHREALTIME
    serve "$work/copy" --ipfs --no-swarm --follow "$(name_of "$directory")" --from "$publisher_url" --every 1s
    follower=$server
    until_true holds "$work/copy" "$(root_of "$directory")"
    say "that took $(subtract "$EPOCHREALTIME" "$begin") s"
    for ((round = 0; round <= rounds; round++)); do
        number=$(((round * 37 + 5) % repositories))
        repository=team-$((number / 100))/r$number name=${host/:/_}/team-$((number / 100))/r$number
        echo "$repository 1.3 moved-$round" >&"${registry[1]}"
        read -r _ <&"${registry[0]}"
        "$roadstead" -q --data-dir "$directory" add --insecure --platform linux/amd64 "$host/$repository:1.3" >/dev/null
        digest=$(digest_at "$publisher_url" "$name" 1.3)
        settle
        line=$(wc -l <"$publisher_log")
        "$roadstead" -q --data-dir "$directory" publish --yes >/dev/null
        until_true serves "$url" "$name" 1.3 "$digest"
        end=$EPOCHREALTIME
        begin=$(date -d "$(moved_record "$line" | cut -d' ' -f1)" +%s.%6N)
        note moved-seconds "$(subtract "$end" "$begin")"
        note moved-requests "$(since "$line" | grep request | grep -vc 'status=304')"
    done
    row "one tag moves among $((repositories * tags)) images: a follower serves it after it saw the name move" "$(spread moved-seconds %.2f) s" "" \
        "$(median moved-seconds)" " s" "<=2"
    row "the same: requests" "$(spread moved-requests %.0f)" "" "$(most moved-requests)" "" "<=40"
    row "the same: peak memory of the follower, and of the publisher" "$(memory "$follower" VmHWM) MiB" "$(memory "$published_by" VmHWM) MiB" \
        "$(memory "$follower" VmHWM)" " MiB" ""
    end "$follower" && end "$published_by" && end "$registry_PID"
    rm -rf "$directory" "$work/copy"
fi

# --- Followers that start at once ------------------------------------------------------------------------------------

if wanted together; then
    publisher $((mebibytes / 4))
    root=$(root_of "$publisher") followed=$(name_of "$publisher")
    size=$(find "$publisher/blobs" -type f -printf '%s\n' | awk '{sum += $1} END {print sum}')
    for ((round = 1; round <= (rounds + 1) / 2; round++)); do
        say "$followers followers start at once: round $round, load $(cut -d' ' -f1 /proc/loadavg)"
        serve "$publisher" --ipfs --no-swarm
        published_by=$server publisher_log=$log
        copies=()
        begin=$EPOCHREALTIME
        for ((number = 0; number < followers; number++)); do
            "$roadstead" -q --data-dir "$work/copy-$number" serve --listen 127.0.0.1:0 --ipfs --no-swarm --follow "$followed" --from "$url" \
                --every 1s >/dev/null 2>"$work/copy-$number.log" &
            copies+=($!)
            started+=($!)
        done
        for ((number = 0; number < followers; number++)); do until_true holds "$work/copy-$number" "$root"; done
        note together-seconds "$(subtract "$EPOCHREALTIME" "$begin")"
        sent=$(sed -n 's/.* request .* bytes=\([0-9]*\).*/\1/p' "$publisher_log" | awk '{sum += $1} END {print sum}')
        note together-drawn "$(divide "$sent" "$size")"
        for pid in "${copies[@]}"; do end "$pid"; done
        end "$published_by"
        rm -rf "$work"/copy-*
    done
    row "$followers followers start at once, $((mebibytes / 4)) MiB: bytes that the publisher sends / size" "$(spread together-seconds %.2f) s" \
        "" "$(median together-drawn)" " ×" "<=2"
fi

# --- Where the blocks are --------------------------------------------------------------------------------------------

if wanted index; then
    for shape in "1000 1000000000" "10 100000000000"; do
        read -r count bytes <<<"$shape"
        say "$count blobs of $((bytes / 1000000000)) GB"
        read -r taken made middle late latest < <("$bench" index "$count" "$bytes")
        what="1 TB in $count blobs"
        row "$what: memory of the table of blocks" "" "" "$(divide "$taken" 1048576)" " MiB" "<=24"
        row "$what: a block is found and 64 KiB of it read" "99 of 100 in $late µs, all in $latest µs" "" \
            "$(divide "$middle" 1000)" " ms" "<=1"
        row "$what: time in which the table is made" "" "" "$made" " s" ""
    done
fi

# --- What the swarm costs --------------------------------------------------------------------------------------------

# packages OPTION…: how many are compiled.
packages() { cargo tree --locked --edges normal,build --prefix none "$@" | awk '{print $1, $2}' | sort -u | wc -l; }
# at_rest NAME PROGRAM OPTION…: memory of a server that nobody asks.
at_rest() {
    local name=$1 ours=$roadstead
    roadstead=$2
    shift 2
    serve "$publisher" --ipfs "$@"
    roadstead=$ours
    sleep 5
    note "$name" "$(memory "$server" VmRSS)"
    end "$server"
}
# memory_at_rest WITHOUT OPTION…: beside a program that is no peer, by its build or by its options.
memory_at_rest() {
    publisher 3
    for ((round = 0; round < rounds; round++)); do
        at_rest rest "$roadstead" --swarm-peer /ip4/127.0.0.1/tcp/1
        at_rest rest-without "$@"
    done
    row "the swarm: memory at rest" "$(spread rest %.1f) MiB" "$(spread rest-without %.1f) MiB" \
        "$(subtract "$(median rest)" "$(median rest-without)")" " MiB" "<=10"
}

if wanted cost; then
    with=$(packages) without=$(packages --no-default-features)
    row "the swarm: packages" "$with" "$without" "$((with - without))" "" "<=90"
    wanted cold || memory_at_rest "$roadstead" --no-swarm
fi

if wanted cold; then
    for features in with without; do
        say "a cold build $features the swarm"
        [[ $features == with ]] && options=() || options=(--no-default-features)
        CARGO_TARGET_DIR=$work/$features /usr/bin/time -f '%U %S' -o "$work/$features.time" \
            cargo build --release --locked --quiet --bin roadstead "${options[@]}"
        note "cold-$features" "$(tail -n 1 "$work/$features.time" | awk '{print ($1 + $2) / 60}')"
        note "size-$features" "$(stat -c %s "$work/$features/release/roadstead" | awk '{print $1 / 1048576}')"
    done
    row "the swarm: processor time of a cold build" "$(median cold-with) min" "$(median cold-without) min" \
        "$(subtract "$(median cold-with)" "$(median cold-without)")" " min" "<=2"
    row "the swarm: size of the program" "$(median size-with) MiB" "$(median size-without) MiB" \
        "$(subtract "$(median size-with)" "$(median size-without)")" " MiB" "<=5"
    roadstead=$work/with/release/roadstead
    memory_at_rest "$work/without/release/roadstead"
fi

printf '| figure | Roadstead | the other | ratio or value | goal | met |\n|---|---|---|---|---|---|\n'
cat "$work/table"
