#!/usr/bin/env bash
# What it costs to publish to places that are no single node: a bucket, and a cluster.
#
#   benches/places.sh [requests] [large] [pulls] [cluster]     all of them without an argument
#
#   requests    requests to a bucket: nothing new, and one image more among many
#   large       an image of 1 GiB to an empty bucket, beside `rclone copy` of the same files; its memory
#   pulls       clients pull from a bucket while a tag moves, and while old objects leave
#   cluster     a tag moves among 1 000 images at a cluster, beside the Kubo behind it alone
#
# Prints one Markdown table: medians with minimum and maximum, ratios, the goal, and whether it is met. Requests are counted by the
# bucket's own log. Wants curl, jq, nginx, rclone, sqlite3, GNU time, and, looked for on PATH and where `tests/peers` puts them,
# versitygw, crane, ipfs (Kubo) and ipfs-cluster-service.
#
#   ROUNDS=5                        rounds of everything that is interleaved
#   MIB=1024                        size of the large image
#   REPOSITORIES=1000               repositories with ten images each, of which the bucket gets one more
#   PULLS=300, MOVES=15             pulls while so many tags move
#   IMAGES=1000                     images at the cluster
#   ROADSTEAD_BENCH_DIR=DIR         where catalogs and buckets are while it runs: about 6 GiB (~/.cache/roadstead-bench)
#   ROADSTEAD="PROGRAM BENCH"       measures these two files instead of building: the program, and `benches/reach.rs`
#
# Run it on a machine with nothing else to do. Not a part of CI: a shared machine's figures mean nothing.
set -euo pipefail

cd "$(dirname "$0")/.."
. benches/common.sh
mebibytes=${MIB:-1024}
repositories=${REPOSITORIES:-1000}
pulls=${PULLS:-300}
moves=${MOVES:-15}
images=${IMAGES:-1000}
export PATH="$peers/bin:$PATH:/usr/sbin"
export IPFS_TELEMETRY=off

choose "requests large pulls cluster" "" "$@"
need curl jq openssl
if wanted requests || wanted large || wanted pulls; then need versitygw; fi
if wanted large; then
    need rclone
    need_time
fi
if wanted pulls; then need nginx crane sqlite3; fi
if wanted cluster; then need ipfs ipfs-cluster-service; fi
workspace "${ROADSTEAD_BENCH_DIR:-$caches/roadstead-bench}"
export ROADSTEAD_BENCH_DIR=$work
programs
run() { "$roadstead" -q --data-dir "$data" "$@"; }
quietly() { run "$@" >/dev/null; }

# --- Images ----------------------------------------------------------------------------------------------------------

# add LAYERS BYTES SEED NAME: mirrors such an image under a name.
add() {
    layout "$work/layout" "$1" "$2" "$3"
    quietly add --platform linux/amd64 --as "$4" "oci:$work/layout"
}
# many REPOSITORIES: a new catalog in $data with ten images in each; `move REPOSITORY TAG CONTENT` moves one of them, or adds one.
many() {
    say "mirroring $(($1 * 10)) images"
    coproc registry { "$bench" registry "$1" 10; }
    started+=("$registry_PID")
    read -r source <&"${registry[0]}"
    local number tag
    for ((number = 0; number < $1; number++)); do
        for ((tag = 0; tag < 10; tag++)); do printf '%s/team-%d/r%d:1.%d\n' "$source" $((number / 100)) "$number" "$tag"; done
    done | run add --insecure --platform all - >/dev/null
}
move() {
    printf '%s\n' "$1 $2 $3" >&"${registry[1]}"
    read -r _ <&"${registry[0]}"
    quietly add --insecure --platform all "$source/$1:$2"
}

# --- A bucket --------------------------------------------------------------------------------------------------------

export AWS_ACCESS_KEY_ID=roadstead AWS_SECRET_ACCESS_KEY=a-secret-for-loopback
# bucket NAME: a server with an empty bucket; its process is $server, its URL $url, and what it was asked for is in $log.
bucket() {
    local place=$work/$1 address policy
    mkdir -p "$place"
    address=127.0.0.1:$(port) url=http://$address log=$work/$1.log
    url=http://$address
    ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
        versitygw --quiet --access-log "$log" --port "$address" posix "$place" >"$place.output" 2>&1 &
    server=$!
    started+=("$server")
    until_true curl -sS -o /dev/null "$url" 2>/dev/null
    asked -X PUT "$url/registry"
    policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::registry/*"}]}'
    asked -X PUT --data-binary "$policy" "$url/registry?policy="
}
asked() {
    curl -fsS -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}
# requests COMMAND…: runs it; afterwards $lists, $records, $puts and $others are how often the bucket was asked for what: for its list, for
# who has published there, to store, and for all else.
requests() {
    local before
    before=$(wc -l <"$log")
    "$@" >/dev/null
    tail -n "+$((before + 1))" "$log" >"$work/asked"
    lists=$(grep -c ' s3_ListObjects' "$work/asked" || true)
    puts=$(grep -cE ' s3_(PutObject|CopyObject|UploadPart|CompleteMultipartUpload) ' "$work/asked" || true)
    records=$(grep -c ' s3_GetObject roadstead.json ' "$work/asked" || true)
    others=$(($(wc -l <"$work/asked") - lists - records - puts))
}

if wanted requests; then
    data=$work/many
    many "$repositories"
    bucket requests
    quietly target add bucket --s3 s3://registry --endpoint "$url"
    say "publishing them"
    requests run publish --yes
    objects=$(run --json publish --dry-run | jq '.targets[0].objects.total')
    first="$lists LIST, $puts PUT, $((records + others)) others" first_puts=$puts
    pages=$(((objects + 1 + 999) / 1000))
    for ((round = 0; round < rounds; round++)); do
        requests run publish --yes
        note nothing-lists "$lists"
        note nothing-puts "$puts"
        move team-0/r7 "2.$round" new
        requests run publish --yes
        note one-lists "$lists"
        note one-asks "$((lists + records))"
        note one-more "$((puts + others))"
    done
    row "a bucket gets $((repositories * 10)) images, $objects objects, for the first time" "$first" "" "$first_puts" " PUT" ""
    row "nothing new, the record is still ours: LIST requests" "$(spread nothing-lists %d)" "$pages for a whole list" "$(most nothing-lists)" "" "<=0"
    row "the same: PUT requests" "$(spread nothing-puts %d)" "" "$(most nothing-puts)" "" "<=0"
    row "one image more: LIST requests" "$(spread one-lists %d)" "$pages for a whole list" "$(most one-lists)" "" "<=0"
    row "the same: requests that ask what is there, for the record alone" "$(spread one-asks %d)" "" "$(most one-asks)" "" "<=1"
    row "the same: all other requests, the record's two among them" "$(spread one-more %d)" "" "$(most one-more)" "" "<=10"
    end "$server" && end "$registry_PID"
    rm -rf "$data" "$work/requests"
fi

# --- Large files -----------------------------------------------------------------------------------------------------

# publish_large: to an empty bucket; notes its time and memory.
publish_large() {
    quietly target add bucket --s3 s3://registry --endpoint "$url"
    settle
    timed roadstead-seconds /usr/bin/time -f %M -o "$work/peak" "$roadstead" -q --data-dir "$data" publish --yes
    note roadstead-memory "$(divide "$(tail -n 1 "$work/peak")" 1024)"
    quietly target remove bucket --yes
}
# by_rclone FROM TO: copies between a directory and the bucket.
by_rclone() {
    # A bundle of authorities is nothing that this build of it takes.
    env -u AWS_CA_BUNDLE RCLONE_CONFIG=/dev/null RCLONE_CONFIG_PLACE_TYPE=s3 RCLONE_CONFIG_PLACE_PROVIDER=Other RCLONE_CONFIG_PLACE_ENV_AUTH=true \
        RCLONE_CONFIG_PLACE_ENDPOINT=$url RCLONE_CONFIG_PLACE_FORCE_PATH_STYLE=true RCLONE_CONFIG_PLACE_REGION=us-east-1 \
        rclone copy --quiet --s3-no-check-bucket --expect-continue-timeout 0 --transfers 16 "$1" "$2"
}

if wanted large; then
    data=$work/large
    say "making an image of $mebibytes MiB"
    add 3 "$((mebibytes * 1048576 / 3))" 1 large:1
    bucket first
    quietly target add bucket --s3 s3://registry --endpoint "$url"
    quietly publish --yes
    quietly target remove bucket --yes
    # The same files: what the bucket has then. A key that ends in a slash is no file.
    by_rclone place:registry "$work/files"
    end "$server"
    rm -rf "$work/first"
    # The first round warms the page cache.
    for ((round = 0; round <= rounds; round++)); do
        say "$mebibytes MiB to a bucket: round $round of $rounds, load $(load)"
        bucket theirs
        settle
        timed rclone-seconds by_rclone "$work/files" place:registry
        end "$server"
        rm -rf "$work/theirs"
        bucket ours
        publish_large
        end "$server"
        rm -rf "$work/ours"
        [[ $round -gt 0 ]] || rm "$work"/{rclone,roadstead}-*.values
    done
    row "$mebibytes MiB to an empty bucket, beside \`rclone copy\` of the same files" "$(spread roadstead-seconds %.2f) s" \
        "$(spread rclone-seconds %.2f) s" "$(divide "$(median roadstead-seconds)" "$(median rclone-seconds)")" " ×" "<=1.1"
    row "the same: peak memory" "$(spread roadstead-memory %.1f) MiB" "" "$(most roadstead-memory)" " MiB" "<=48"
    rm -rf "$data" "$work/files"
fi

# --- Pulls while tags move -------------------------------------------------------------------------------------------

# client NUMBER PULLS: pulls the tag so often, and writes each failure down.
client() {
    local number
    for ((number = 0; number < $2; number++)); do
        crane pull --insecure "$front/app:1" "$work/pulled-$1" 2>"$work/client-$1" || cat "$work/client-$1" >>"$work/failures"
        printf .  >>"$work/pulled"
    done
}
# pulled AT_LEAST: whether so many pulls have ended.
pulled() { [[ $(stat -c %s "$work/pulled") -ge $1 ]]; }
# clients PULLS: three of them; their processes are in $clients.
clients() {
    local number
    : >"$work/failures" >"$work/pulled"
    clients=()
    for number in 1 2 3; do
        client "$number" "$(($1 / 3))" &
        clients+=("$!")
    done
    started+=("${clients[@]}")
}

if wanted pulls; then
    data=$work/moving
    bucket moving
    front=127.0.0.1:$(port)
    mkdir "$work/nginx"
    cat >"$work/nginx/conf" <<EOF
user root;
daemon off;
worker_processes 1;
error_log stderr warn;
pid $work/nginx/pid;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body; proxy_temp_path $work/nginx/proxy; fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi; scgi_temp_path $work/nginx/scgi;
    server { listen $front; location / { proxy_pass $url/registry/; } }
}
EOF
    nginx -e stderr -p "$work/nginx" -c "$work/nginx/conf" 2>"$work/nginx/log" &
    started+=("$!")
    add 4 2000000 100 app:1
    quietly target add bucket --s3 s3://registry --endpoint "$url" --keep 1
    quietly publish --yes
    until_true curl -fsS -o /dev/null "http://$front/v2/" 2>/dev/null
    say "$pulls pulls while a tag moves $moves times"
    clients "$pulls"
    for ((number = 1; number <= moves; number++)); do
        # Spread over the pulls.
        until_true pulled "$((number * pulls / (moves + 2)))"
        add 4 2000000 "$((100 + number))" app:1
        quietly publish --yes
    done
    wait "${clients[@]}"
    row "$(stat -c %s "$work/pulled") pulls from a bucket while a tag moves $moves times: failed" "" "" "$(grep -c . "$work/failures" || true)" "" "<=0"
    # The grace is over: what nothing needs leaves while clients pull.
    sqlite3 "$data/catalog.db" 'UPDATE host_objects SET unneeded_since = unneeded_since - 30 * 86400 WHERE unneeded_since IS NOT NULL'
    leaving=$(run --json publish --dry-run | jq '.targets[0].objects.deleted')
    [[ $leaving -gt 0 ]] || fail "nothing leaves"
    clients 60
    until_true pulled 10
    quietly publish --yes
    [[ $(run --json publish --dry-run | jq '.targets[0].objects.deleted') -eq 0 ]] || fail "old objects are still there"
    wait "${clients[@]}"
    row "$(stat -c %s "$work/pulled") pulls while $leaving old objects leave after the grace: failed" "" "" "$(grep -c . "$work/failures" || true)" "" "<=0"
    end "$server"
fi

# --- A cluster -------------------------------------------------------------------------------------------------------

# kubo NAME: an empty daemon that knows nobody; its RPC is at $rpc_url, as a multiaddr $rpc.
kubo() {
    export IPFS_PATH=$work/$1
    ipfs init --empty-repo --profile=test,unixfs-v1-2025 >/dev/null
    ipfs config Routing.Type none
    ipfs daemon >"$work/$1.log" 2>&1 &
    started+=("$!")
    until_true grep -q 'Daemon is ready' "$work/$1.log"
    rpc=/ip4/127.0.0.1/tcp/$(sed 's|.*/||' "$IPFS_PATH/api") rpc_url=http://127.0.0.1:$(sed 's|.*/||' "$IPFS_PATH/api")
}

# has_room PORT: whether the cluster knows of a peer with room; without that, none is chosen.
has_room() { curl -fsS "http://127.0.0.1:$1/monitor/metrics/freespace" 2>/dev/null | jq -e 'length > 0' >/dev/null 2>&1; }

if wanted cluster; then
    data=$work/images
    many "$((images / 10))"
    kubo alone
    quietly target add alone --kubo "$rpc_url" --keep 100
    kubo behind
    rest=$(port)
    export IPFS_CLUSTER_PATH=$work/cluster CLUSTER_LISTENMULTIADDRESS=/ip4/127.0.0.1/tcp/$(port) \
        CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS=/ip4/127.0.0.1/tcp/$rest CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS=/ip4/127.0.0.1/tcp/$(port) \
        CLUSTER_IPFSPROXY_LISTENMULTIADDRESS=/ip4/127.0.0.1/tcp/$(port) CLUSTER_IPFSPROXY_NODEMULTIADDRESS=$rpc \
        CLUSTER_IPFSHTTP_NODEMULTIADDRESS=$rpc CLUSTER_MDNSINTERVAL=0s CLUSTER_MONITORPINGINTERVAL=1s \
        CLUSTER_DISK_METRICTTL=2s
    ipfs-cluster-service init --consensus crdt --datastore pebble >/dev/null 2>&1
    ipfs-cluster-service daemon >"$work/cluster.log" 2>&1 &
    started+=("$!")
    until_true grep -q 'IPFS Cluster is READY' "$work/cluster.log"
    until_true has_room "$rest"
    quietly target add cluster --cluster "http://127.0.0.1:$rest" --keep 100
    say "publishing $images images to both"
    quietly publish --yes
    # The first round warms what there is to warm.
    for ((round = 0; round <= rounds; round++)); do
        say "a tag moves at a cluster: round $round of $rounds, load $(load)"
        move team-0/r7 1.3 "round-$round"
        for target in alone cluster; do
            settle
            timed "$target-moved" run publish "$target" --yes
        done
        [[ $round -gt 0 ]] || rm "$work"/{alone,cluster}-moved.values
    done
    row "a tag moves among $images images at a cluster of one, beside a Kubo alone" "$(spread cluster-moved %.3f) s" \
        "$(spread alone-moved %.3f) s" "$(divide "$(median cluster-moved)" "$(median alone-moved)")" " ×" "<=2"
fi

print_table
