#!/usr/bin/env bash
# Measures Roadstead beside the programs it is compared with, on the same bytes, in one run, interleaved.
#
#   benches/compare.sh [mirror] [memory] [disk] [digest] [serve] [root] [currency]      all of them without an argument
#
# Prints one Markdown table: medians with minimum and maximum, ratios, the goal, and whether it is met.
# Wants docker-registry, skopeo, nginx, wrk, curl, openssl, and, for what Debian has no package of, ipfs (Kubo) and crane:
# looked for on PATH and where `tests/peers` puts them; crane is built there as a Go module if it is missing.
#
#   ROUNDS=5                        rounds of everything that is interleaved
#   ROADSTEAD_BENCH_CACHE=DIR       where the images, a registry with them, and each round's results are: about 12 GiB,
#                                   on the disk that is to be measured (~/.cache/roadstead-bench)
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail

cd "$(dirname "$0")/.."
. benches/common.sh
cache=${ROADSTEAD_BENCH_CACHE:-$caches/roadstead-bench}
crane_version=0.21.9
export PATH="$peers/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

choose "mirror memory disk digest serve root currency" "" "$@"
workspace "$cache"
cache=$(cd "$cache" && pwd)

# --- Programs --------------------------------------------------------------------------------------------------------

build_crane() {
    command -v crane >/dev/null && return
    command -v go >/dev/null || fail "crane is missing: put it on PATH, or install Go"
    say "building crane $crane_version"
    mkdir -p "$work/crane" "$peers/bin"
    (
        cd "$work/crane"
        printf 'module crane\n\ngo 1.26\n' >go.mod
        export GOBIN="$peers/bin" GOFLAGS=-mod=mod
        go get -tool "github.com/google/go-containerregistry/cmd/crane@v$crane_version"
        go install github.com/google/go-containerregistry/cmd/crane
    ) >"$work/crane.log" 2>&1 || fail "crane can't be built:" "$(cat "$work/crane.log")"
}

need curl openssl
if wanted mirror || wanted memory || wanted disk || wanted serve || wanted currency; then need docker-registry skopeo; fi
if wanted mirror; then
    build_crane
    need ipfs
fi
if wanted serve; then need nginx wrk; fi
say "building the release"
cargo build --release --quiet
roadstead=$(pwd)/${CARGO_TARGET_DIR:-target}/release/roadstead
[[ ${CARGO_TARGET_DIR:-} != /* ]] || roadstead=$CARGO_TARGET_DIR/release/roadstead

# --- A registry with the images --------------------------------------------------------------------------------------

answers() {
    local try
    for ((try = 0; try < 200; try++)); do
        curl -sf -o /dev/null "$1" && return
        sleep 0.05
    done
    fail "nothing answers at $1"
}

# packed BYTES SEED DIRECTORY: writes a layer as builders do, a tar archive in gzip, to the file `layer` there; prints what `layer` does.
packed() {
    mkdir -p "$work/layer"
    noise "$1" "$2" >"$work/layer/noise-$2"
    tar -C "$work/layer" --mtime=@0 --owner=0 --group=0 -cf "$work/layer/tar" "noise-$2"
    gzip -1n <"$work/layer/tar" >"$3/layer"
    printf 'application/vnd.oci.image.layer.v1.tar+gzip %s\n' "$(sha256sum <"$work/layer/tar" | cut -d' ' -f1)"
    rm "$work/layer/noise-$2" "$work/layer/tar"
}

# image NAME LAYERS BYTES: makes it and pushes it, once.
image() {
    curl -sf -o /dev/null "http://$registry/v2/$1/tags/list" && return
    say "making the image $1, once"
    layout "$work/layout" "$2" "$3" 1 packed
    skopeo copy --quiet --dest-tls-verify=false "oci:$work/layout" "docker://$registry/$1:1"
    rm -rf "$work/layout"
}

if wanted mirror || wanted memory || wanted disk || wanted serve || wanted currency; then
    registry=127.0.0.1:$(port)
    printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' "$cache/registry" "$registry" >"$work/registry.yml"
    docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
    started+=($!)
    answers "http://$registry/v2/"
fi
if wanted mirror || wanted memory || wanted disk || wanted serve; then image large 3 357913941; fi

# add DIRECTORY IMAGE
add() { "$roadstead" --data-dir "$1" add --platform linux/amd64 --insecure "$registry/$2:1"; }

# --- First mirror ----------------------------------------------------------------------------------------------------

crane_and_sync() {
    crane pull --insecure "$registry/large:1" "$work/crane.tar"
    sync -f "$work/crane.tar"
}
crane_layout_and_sync() {
    crane pull --insecure --format oci "$registry/large:1" "$work/crane.oci"
    sync -f "$work/crane.oci"
}
ancestor() {
    skopeo copy --format v2s1 --src-tls-verify=false "docker://$registry/large:1" "dir:$work/ancestor/image"
    ipfs add -r -Q "$work/ancestor/image"
}

measure_mirror() {
    local round
    export IPFS_PATH=$work/ipfs
    for ((round = 0; round <= rounds; round++)); do
        say "mirror: round $round of $rounds"
        # The first one warms the page cache, and is not counted.
        timed mirror_ours add "$work/mirror" large
        rm -rf "$work/mirror" && sync -f "$work"
        timed mirror_crane crane_and_sync
        rm -rf "$work/crane.tar" && sync -f "$work"
        timed mirror_layout crane_layout_and_sync
        rm -rf "$work/crane.oci" && sync -f "$work"
        if ((round > 0 && round <= 5)); then
            mkdir "$work/ancestor"
            ipfs init --empty-repo --profile=test >/dev/null 2>&1
            ipfs config profile apply unixfs-v1-2025 >/dev/null
            timed mirror_ancestor ancestor
            rm -rf "$work/ancestor" "$work/ipfs" && sync -f "$work"
        fi
        if ((round == 0)); then rm "$work"/mirror_*.values; fi
    done
    local ours
    ours=$(median mirror_ours)
    row 'first mirror of 1 GiB, three layers / crane pull, then sync -f' "$(spread mirror_ours '%.2f') s" \
        "$(spread mirror_crane '%.2f') s" "$(divide "$ours" "$(median mirror_crane)")" ' ×' '<=0.6'
    row 'the same / crane pull --format oci, then sync -f' "$(spread mirror_ours '%.2f') s" \
        "$(spread mirror_layout '%.2f') s" "$(divide "$ours" "$(median mirror_layout)")" ' ×' '<=0.6'
    row 'the same / skopeo copy + ipfs add -r' "$(spread mirror_ours '%.2f') s" \
        "$(spread mirror_ancestor '%.2f') s" "$(divide "$(median mirror_ancestor)" "$ours")" ' × faster' '>=3'
}

# --- Memory and disk -------------------------------------------------------------------------------------------------

# peak PID: the most memory it has had, in MiB.
peak() { awk '/^VmHWM/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }
# peak_of NAME COMMAND…: the same of a program that ends by itself, sampled while it runs: the mark only rises.
peak_of() {
    local name=$1 pid last=0 now
    shift
    "$@" >"$work/output" 2>&1 &
    pid=$!
    while now=$(peak "$pid" 2>/dev/null) && [[ -n $now ]]; do
        last=$now
        sleep 0.02
    done
    wait "$pid" || fail "$name failed:" "$(cat "$work/output")"
    note "$name" "$last"
}

# serve DIRECTORY: starts it; sets `served` to its address and `server` to its process.
serve() {
    served=127.0.0.1:$(port)
    "$roadstead" --data-dir "$1" serve --listen "$served" >"$work/serve.log" 2>&1 &
    server=$!
    started+=("$server")
    answers "http://$served/v2/"
}

# largest IMAGE: the digest of its largest layer.
largest() {
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$registry/v2/$1/manifests/1" |
        grep -o '"digest":"[^"]*","size":[0-9]*' | sort -t: -k4 -n | tail -1 | cut -d'"' -f4
}

measure_memory() {
    image huge 1 4294967296
    local name="${registry/:/_}/huge" blob
    say "memory: 4 GiB in one blob"
    peak_of memory_mirror "$roadstead" --data-dir "$work/huge" add --platform linux/amd64 --insecure "$registry/huge:1"
    row 'peak memory, mirroring a blob of 4 GiB' "$(median memory_mirror) MiB" '' "$(median memory_mirror)" ' MiB' '<=48'
    peak_of memory_car "$roadstead" --data-dir "$work/huge" export "$work/huge.car"
    rm -f "$work/huge.car"
    row 'the same, exporting it as a CAR' "$(median memory_car) MiB" '' "$(median memory_car)" ' MiB' '<=48'
    serve "$work/huge"
    blob=$(largest huge)
    curl -sf -o /dev/null "http://$served/v2/$name/blobs/$blob"
    note memory_serve "$(peak "$server")"
    row 'the same, serving it once' "$(median memory_serve) MiB" '' "$(median memory_serve)" ' MiB' '<=48'
    local clients=() client
    for client in 1 2 3 4 5 6 7 8; do
        curl -sf -o /dev/null "http://$served/v2/$name/blobs/$blob" &
        clients+=($!)
    done
    for client in "${clients[@]}"; do wait "$client"; done
    note memory_clients "$(peak "$server")"
    row 'the same, serving it to 8 clients at once' "$(median memory_clients) MiB" '' "$(median memory_clients)" ' MiB' '<=48'
    kill "$server"
    rm -rf "$work/huge"
}

measure_disk() {
    add "$work/disk" large >"$work/output" 2>&1
    local used unique
    used=$(du -s --block-size=1 "$work/disk" | cut -f1)
    unique=$(find "$work/disk/blobs" -type f -printf '%s\n' | awk '{sum += $1} END {print sum}')
    row 'bytes on disk / unique blob bytes' "$used" "$unique" "$(awk -v a="$used" -v b="$unique" 'BEGIN {printf "%.5f", a / b}')" ' ×' '<=1.01'
    rm -rf "$work/disk"
}

# --- Digests ---------------------------------------------------------------------------------------------------------

measure_digest() {
    local round
    say "digest: building the bench"
    cargo bench --quiet --bench hash --no-run >"$work/output" 2>&1 || fail "$(cat "$work/output")"
    for ((round = 1; round <= rounds; round++)); do
        say "digest: round $round of $rounds"
        # In thousands of bytes a second.
        note openssl "$(openssl speed -evp sha256 -bytes 1048576 -seconds 2 2>/dev/null | awk '/^sha256/ {sub("k", "", $2); print $2 / 1e6}')"
        # In GiB a second: the middle of three.
        note digest "$(cargo bench --quiet --bench hash -- 'both digests, v1/1048576' --measurement-time 2 --warm-up-time 1 2>/dev/null |
            awk '/thrpt:/ {gsub(/[][]/, ""); print $4 * ($5 == "GiB/s" ? 1.073741824 : 0.001048576); exit}')"
    done
    row 'both digests of bytes in memory / one pass of openssl sha256, one thread' "$(spread digest '%.2f') GB/s" \
        "$(spread openssl '%.2f') GB/s" "$(divide "$(median digest)" "$(median openssl)")" ' ×' '>=0.9'
}

# --- Serving ---------------------------------------------------------------------------------------------------------

measure_serve() {
    local round blob name="${registry/:/_}/large" nginx path
    say "serve: mirroring"
    image single 1 1073741824
    add "$work/served" single >"$work/output" 2>&1
    "$roadstead" --data-dir "$work/served" export "$work/exported" >"$work/output" 2>&1
    name="${registry/:/_}/single"
    blob=$(largest single)
    serve "$work/served"
    nginx=127.0.0.1:$(port)
    cat >"$work/nginx.conf" <<END
$([[ $EUID -ne 0 ]] || echo 'user root;')
daemon off;
worker_processes auto;
error_log stderr warn;
pid $work/nginx.pid;
events { worker_connections 512; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type application/vnd.oci.image.manifest.v1+json;
    client_body_temp_path $work/nginx.body;
    proxy_temp_path $work/nginx.proxy;
    fastcgi_temp_path $work/nginx.fastcgi;
    uwsgi_temp_path $work/nginx.uwsgi;
    scgi_temp_path $work/nginx.scgi;
    server { listen $nginx; root $work/exported/oci; location = /v2/ { return 200; } }
}
END
    nginx -e stderr -p "$work" -c "$work/nginx.conf" >"$work/nginx.log" 2>&1 &
    started+=($!)
    answers "http://$nginx/v2/"
    fetch() { curl -sf -o /dev/null -w '%{speed_download}' "$1" | awk '{print $1 / 1e6}'; }
    load() { wrk -t2 -c64 -d4s "$1" | tee "$work/output" | awk '/^Requests\/sec/ {print $2}'; }
    # in_turn ROUND: the two servers, in another order in each round.
    in_turn() { if (($1 % 2)); then echo "ours=$served nginx=$nginx"; else echo "nginx=$nginx ours=$served"; fi; }
    for path in "blobs/$blob" manifests/1; do
        cmp <(curl -sf "http://$served/v2/$name/$path" | sha256sum) <(curl -sf "http://$nginx/v2/$name/$path" | sha256sum) ||
            fail "the two give out different bytes for $path"
    done
    # Apart from one another: what comes right after seconds of full load is slower, whoever answers. Who begins takes turns.
    # One fetch of half a second says little: there are eight of each server in a round.
    local turn fetches=8
    for ((round = 1; round <= rounds * fetches; round++)); do
        ((round % fetches != 1)) || say "serve: blobs, round $((round / fetches + 1)) of $rounds"
        for turn in $(in_turn "$round"); do note "blob_${turn%=*}" "$(fetch "http://${turn#*=}/v2/$name/blobs/$blob")"; done
    done
    for ((round = 1; round <= rounds; round++)); do
        say "serve: manifests, round $round of $rounds"
        for turn in $(in_turn "$round"); do note "manifest_${turn%=*}" "$(load "http://${turn#*=}/v2/$name/manifests/1")"; done
    done
    row 'serving one blob of 1 GiB to one client / nginx, sendfile' "$(spread blob_ours '%.0f') MB/s" \
        "$(spread blob_nginx '%.0f') MB/s" "$(divide "$(median blob_ours)" "$(median blob_nginx)")" ' ×' '>=1'
    row 'serving a manifest to 64 connections / nginx' "$(spread manifest_ours '%.0f')/s" \
        "$(spread manifest_nginx '%.0f')/s" "$(divide "$(median manifest_ours)" "$(median manifest_nginx)")" ' ×' '>=1'
    kill "$server"
}

# --- Roots -----------------------------------------------------------------------------------------------------------

measure_root() {
    say "root: filling catalogs of up to 10 000 images takes minutes"
    local first what median rest
    ROADSTEAD_BENCH_DIR=$work cargo bench --quiet --bench root >"$work/root.md"
    while IFS='|' read -r _ what median rest; do
        [[ $what == *[0-9]* ]] || continue
        median=${median# } median=${median% }
        local number=${median%% (*}
        number=${number// /}
        if [[ -z ${first:-} ]]; then
            first=$number
            row "root after one moved tag,${what% }" "$median ms" '' "$number" ' ms' '<=50'
        else
            # 1.5 times what the first one may take; how many times what it took is said beside it.
            row "the same,${what%% }" "$median ms" "$(divide "$number" "$first") × the first" "$number" ' ms' '<=75'
        fi
    done <"$work/root.md"
}

# --- Unchanged tags ---------------------------------------------------------------------------------------------------

# tags REPOSITORY COUNT: so many tags, each an image of its own in two small blobs.
tags() {
    local repository=$1 count=$2 tag blob digest location
    local config='{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' layer=layer
    for blob in "$config" "$layer"; do
        digest=sha256:$(printf '%s' "$blob" | sha256sum | cut -d' ' -f1)
        location=$(curl -sf -X POST -o /dev/null -D - "http://$registry/v2/$repository/blobs/uploads/" | tr -d '\r' | awk 'tolower($1) == "location:" {print $2}')
        printf '%s' "$blob" | curl -sf -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary @- "$location&digest=$digest"
    done
    describe() { printf '"digest":"sha256:%s","size":%s' "$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)" "${#1}"; }
    for ((tag = 1; tag <= count; tag++)); do
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",%s}],"annotations":{"number":"%s"}}' \
            "$(describe "$config")" "$(describe "$layer")" "$repository/$tag" |
            curl -sf -o /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @- "http://$registry/v2/$repository/manifests/$tag"
    done
}

measure_currency() {
    local repository round references=() data=$work/currency
    say "currency: 300 tags in 30 repositories"
    for repository in {1..30}; do
        tags "currency/app$repository" 10
        references+=("$registry/currency/app$repository:"{1..10})
    done
    printf '%s\n' "${references[@]}" | "$roadstead" --data-dir "$data" add --platform linux/amd64 - >"$work/output" 2>&1 || fail "$(cat "$work/output")"
    for ((round = 0; round < rounds; round++)); do
        timed outdated "$roadstead" --data-dir "$data" outdated
        timed update "$roadstead" --data-dir "$data" update
    done
    local ours theirs
    ours=$(median update) theirs=$(median outdated)
    row "\`update\` of 300 unchanged tags / \`outdated\`, one HEAD for each" "$(spread update %.2f) s" "$(spread outdated %.2f) s" \
        "$(divide "$ours" "$theirs")" ' ×' '<=1.5'
}

for part in "${parts[@]}"; do "measure_$part"; done
print_table
if [[ -f $work/root.md ]]; then
    printf '\n'
    cat "$work/root.md"
fi
