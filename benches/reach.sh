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
#   ROADSTEAD="PROGRAM BENCH"       measures these two files instead of building: the program, and `benches/reach.rs`
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail

cd "$(dirname "$0")/.."
. benches/common.sh
mebibytes=${MIB:-1024}
followers=${FOLLOWERS:-10}
export PATH="$peers/bin:$PATH"
export IPFS_TELEMETRY=off

choose "pin follow moved together index cost" cold "$@"
need curl jq openssl ipfs
need_time
workspace "${ROADSTEAD_BENCH_DIR:-$caches/roadstead-bench}"
export ROADSTEAD_BENCH_DIR=$work
programs

# processor PID: seconds of processor time so far; its own and the system's for it.
processor() { awk -v tick="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / tick}' "/proc/$1/stat"; }
# memory PID LINE: VmHWM or VmRSS, in MiB.
memory() { awk -v line="$2:" '$1 == line {printf "%.1f\n", $2 / 1024}' "/proc/$1/status"; }

# --- An image, and who gives it out ----------------------------------------------------------------------------------

# publisher MEBIBYTES: a catalog with an image of that size, published to itself, once; its directory is $publisher.
publisher() {
    publisher=$work/publisher-$1
    [[ -d $publisher ]] && return
    say "making an image of $1 MiB"
    layout "$work/layout" 3 "$(($1 * 1048576 / 3))" "$1"
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
        say "a Kubo pins: round $round of $rounds, load $(load)"
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
        say "a follower takes: round $round of $rounds, load $(load)"
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
        say "$followers followers start at once: round $round, load $(load)"
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

print_table
