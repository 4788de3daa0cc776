#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: a few small inputs of each kind, so that the fuzzer begins beyond the first check.

    python3 fuzz/seeds.py        writes fuzz/seeds/TARGET/NAME

The same bytes each time. What a fuzzer finds beyond them stays out of the repository (fuzz/corpus)."""

import base64
import gzip
import hashlib
import io
import json
import pathlib
import struct
import tarfile

SEEDS = pathlib.Path(__file__).parent / "seeds"
EMPTY = "sha256:" + hashlib.sha256(b"").hexdigest()


def write(target, **inputs):
    directory = SEEDS / target
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in inputs.items():
        (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def document(value):
    return json.dumps(value, indent=1)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    """A protobuf field: bytes, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def cid(codec, block):
    return bytes([1, codec, 0x12, 32]) + hashlib.sha256(block).digest()


def link(block_cid, name, size):
    return field(2, field(1, block_cid) + field(2, name) + field(3, size))


def descriptor(media_type, content, **more):
    return {"mediaType": media_type, "digest": "sha256:" + hashlib.sha256(content).hexdigest(), "size": len(content), **more}


def references():
    write(
        "references",
        short="nginx",
        tag="docker.io/library/nginx:1.27-alpine",
        port="127.0.0.1:5000/a/b__c:latest",
        digest="ghcr.io/org/app@" + EMPTY,
        both="[::1]:443/app:v1@" + EMPTY,
        platform="linux/arm/v7",
        platforms="linux/amd64,linux/arm64",
        bare_digest=EMPTY,
    )


def manifests():
    image = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", b"layer", urls=["https://example.com/l"])],
        "annotations": {"org.opencontainers.image.title": "x"},
    }
    bytes_of_image = document(image).encode()
    platform = {"os": "linux", "architecture": "arm", "variant": "v7"}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor(image["mediaType"], bytes_of_image, platform=platform)],
    }
    artifact = {
        **image,
        "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json",
        "subject": descriptor(image["mediaType"], bytes_of_image),
    }
    docker = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": descriptor("application/vnd.docker.container.image.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"layer")],
    }
    old = {"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": [{"blobSum": EMPTY}], "history": []}
    write("manifests", image=bytes_of_image, index=document(index), artifact=document(artifact), docker=document(docker), old=document(old))


def headers():
    write(
        "headers",
        bearer='Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull"',
        basic='Basic realm="Registry"',
        both='Negotiate, Basic realm="a, \\"b\\"", Bearer realm="https://auth.example/token"',
        link='</v2/app/tags/list?last=b&n=1000>; rel="next"',
        links='<https://elsewhere.example/>; rel="prev", </v2/x>; title="a, b"; rel="last next"',
        content_range="bytes 5-9/10",
        content_range_open="bytes 0-18446744073709551615/*",
        retry_after="120",
        retry_after_date="Wed, 21 Oct 2015 07:28:00 GMT",
    )


def unixfs_blocks():
    leaf = b"hello, world\n"
    leaf_cid = cid(0x55, leaf)
    empty_directory = field(1, field(1, 1))
    directory = link(leaf_cid, b"greeting", len(leaf)) + link(cid(0x70, empty_directory), b"sub", 4) + field(1, field(1, 1))
    data = field(1, 2) + field(3, 2 * len(leaf)) + field(4, len(leaf)) + field(4, len(leaf))
    large = link(leaf_cid, b"", len(leaf)) * 2 + field(1, data)
    small = field(1, field(1, 2) + field(2, leaf) + field(3, len(leaf)))
    shard_data = field(1, 5) + field(2, b"\x01") + field(5, 0x22) + field(6, 256)
    shard = link(leaf_cid, b"00greeting", len(leaf)) + field(1, shard_data)
    return {"empty": empty_directory, "directory": directory, "large": large, "small": small, "shard": shard}, leaf


def unixfs():
    blocks, _ = unixfs_blocks()
    write("unixfs", **blocks)


def car():
    blocks, leaf = unixfs_blocks()
    root = cid(0x70, blocks["directory"])
    roots = b"\xa2eroots\x81\xd8\x2a" + b"\x58" + bytes([len(root) + 1]) + b"\x00" + root + b"gversion\x01"
    sections = [(root, blocks["directory"]), (cid(0x70, blocks["empty"]), blocks["empty"]), (cid(0x55, leaf), leaf)]
    written = varint(len(roots)) + roots
    for block_cid, block in sections:
        written += varint(len(block_cid) + len(block)) + block_cid + block
    write("car", whole=written, cut=written[:-5], header=varint(len(roots)) + roots)


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def record(at, kind, ttl, content, of_class=1):
    return name(at) + struct.pack(">HHIH", kind, of_class, ttl, len(content)) + content


def answer(code, *records, additional=b"", additionals=0):
    head = struct.pack(">HHHHHH", 7, 0x8400 | code, 1, len(records), 0, additionals)
    question = name("_dnslink.example") + struct.pack(">HH", 16, 1)
    return head + question + b"".join(records) + additional


def txt(*strings):
    return b"".join(bytes([len(text)]) + text for text in strings)


def tsig_record(error=0, time=1_800_000_000, other=b""):
    mac = hashlib.sha256(b"mac").digest()
    signed_at = struct.pack(">HIH", time >> 32, time & 0xFFFFFFFF, 300)
    content = name("hmac-sha256") + signed_at + struct.pack(">H", len(mac)) + mac + struct.pack(">HHH", 7, error, len(other)) + other
    return record("key", 250, 0, content, of_class=255)


def dns():
    pointer = record("_dnslink.example", 16, 60, txt(b"dnslink=/ipfs/bafkqaaa"))
    split = record("_dnslink.example", 16, 300, txt(b"dnslink=", b"/ipns/registry.example"))
    alias = record("_dnslink.example", 5, 60, name("_dnslink.other.example"))
    write(
        "dns",
        pointer=answer(0, pointer),
        two=answer(0, pointer, split),
        alias=answer(0, alias, pointer),
        none=answer(3),
        refused=answer(5),
        not_authoritative=answer(9, additional=tsig_record(17), additionals=1),
        another_writer=answer(8),
    )


def tsig():
    late = struct.pack(">HI", 0, 1_800_009_999)
    write(
        "tsig",
        signed=answer(0, additional=tsig_record(), additionals=1),
        bad_time=answer(9, additional=tsig_record(18, other=late), additionals=1),
        bad_key=answer(9, additional=tsig_record(17), additionals=1),
        early=answer(0, additional=tsig_record(time=1), additionals=1),
        plain=answer(0),
    )


def router():
    write(
        "router",
        tag="library/nginx/manifests/latest",
        digest="a/b/blobs/" + EMPTY,
        tags="a/tags/list?n=10&last=b",
        referrers="a/referrers/" + EMPTY + "?artifactType=application%2Fjson",
        mirror="org/app/manifests/1?ns=ghcr.io%3A443",
        escaped="a%2fb/manifests/%6Catest",
        other_digest="a/blobs/sha512:" + "0" * 128,
        page="/r/library/nginx/index.html",
        above="/../../etc/passwd",
    )


def ranges():
    # The first eight bytes are the size.
    headers = ["bytes=0-", "bytes=5-9", "bytes=-5", "bytes=9-5", "bytes=0-0,5-9", "Bytes = 3 - ", "bytes=99999999999999999999-"]
    headers += ["bytes=0-0,2-3,5-", "bytes=-1,0-2, 4-4 ,", "bytes=0-,0-,0-", "bytes=0-0,99-"]
    write("ranges", **{f"range{number}": struct.pack("<Q", 20) + header.encode() for number, header in enumerate(headers)})


def gateway():
    root = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    lines = {
        "block": (root, "format=raw", 'W/"x", "y"', "10"),
        "car": (f"{root}/oci/v2/a%20b/blobs", "format=car&dag-scope=entity&entity-bytes=0:1023&filename=%C3%A4.car", "*/*", "99"),
        "accept": (root, "", "application/vnd.ipld.car; version=1; order=dfs; dups=y; q=0.5, application/vnd.ipld.raw", ""),
        "bytes": ("-5:*", "0:-1", "-9223372036854775808:9223372036854775807", "5"),
        "keys": (
            "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
            "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or",
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
            "",
        ),
    }
    write("gateway", **{name: "\n".join(each) for name, each in lines.items()})


def configuration():
    whole = """wait = 5
max_parallel = 4
data_dir = "/srv/registry"

[registries."docker.io"]
mirror = "http://127.0.0.1:5000/hub"
max_parallel = 2

[registries."registry.example:5000"]
insecure = true
ca_file = "/etc/ca.pem"

[interface]
theme = "dark"
mouse = false

[interface.keys]
add = ["a", "insert"]
"""
    write("configuration", whole=whole, unknown="wiat = 3\n", broken="[registries.\n", wrong='wait = "long"\n')


def credentials():
    secret = base64.b64encode(b"user:password").decode()
    docker = {
        "auths": {"https://index.docker.io/v1/": {"auth": secret}, "registry.example:5000/a/b": {"auth": secret}},
        "credHelpers": {"ghcr.io": "secretservice"},
        "credsStore": "pass",
    }
    token = {"auths": {"docker.io": {"identitytoken": "token", "auth": secret}, "registry.example:5000": {}}}
    bcrypt = "user:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n# comment\n\n"
    write(
        "credentials",
        docker=document(docker),
        token=document(token),
        header="Basic " + secret,
        htpasswd=bcrypt,
        md5="user:$apr1$abcdefgh$0123456789012345678901\n",
    )


def archive():
    manifest = document({"schemaVersion": 2, "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"), "layers": []})
    entry = descriptor("application/vnd.oci.image.manifest.v1+json", manifest.encode(), annotations={"org.opencontainers.image.ref.name": "1"})
    files = {
        "oci-layout": document({"imageLayoutVersion": "1.0.0"}),
        "index.json": document({"schemaVersion": 2, "manifests": [entry]}),
        "blobs/sha256/" + entry["digest"].split(":")[1]: manifest,
    }
    for kind, layout in {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}.items():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=layout) as written:
            for path, content in files.items():
                about = tarfile.TarInfo(path if kind == "ustar" else "./" + path)
                about.size = len(content)
                if kind == "pax":
                    about.pax_headers = {"comment": "ä" * 50}
                written.addfile(about, io.BytesIO(content.encode()))
        # Two blocks of zeros end an archive; the rest of the last record is padding.
        write("archive", **{kind: out.getvalue().rstrip(b"\0") + b"\0" * 1536})


def layers():
    def layer(files, kind=tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=kind) as written:
            for path, content in files.items():
                about = tarfile.TarInfo(path)
                if isinstance(content, str):
                    about.type, about.linkname = tarfile.SYMTYPE, content
                    content = b""
                about.size = len(content)
                written.addfile(about, io.BytesIO(content))
        return out.getvalue().rstrip(b"\0") + b"\0" * 1536

    below = layer({"etc/a": b"first", "etc/b": b"second", "bin": "usr/bin", "usr/bin/run": b"#!", "o/x/y": b"1"})
    above = layer({"./etc/a": b"changed", "etc/.wh.b": b"", "o/.wh..wh..opq": b"", "long/" * 40 + "x": b"z"}, tarfile.GNU_FORMAT)
    zipped = gzip.compress(below, mtime=0)

    def two(one, other):
        return struct.pack("<H", len(one)) + one + other

    write("layers", plain=two(below, b""), two=two(below, above), zipped=two(zipped, gzip.compress(above, mtime=0)))


def records():
    part = {"file": "catalog/0.json", "first": "app", "last": "app"}
    catalog = {
        "format": 1,
        "site_version": 1,
        "profile": "unixfs-v1-2025",
        "name": "registry.example",
        "repository_records": "catalog/{repository}/_repository.json",
        "repositories": [part],
    }
    tag = {
        "tag": "1",
        "digest": EMPTY,
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "selection": {"only": [{"os": "linux", "architecture": "arm", "variant": "v7"}]},
        "default_platform": {"os": "linux", "architecture": "amd64"},
        "referrers": [{"subject": EMPTY, "digest": EMPTY, "media_type": "application/json"}],
    }
    upstream = {"registry": "docker.io", "repository": "library/app"}
    repository = {"name": "library/app", "alias": "app", "upstream": upstream, "tags": [tag]}
    names = {"repositories": ["app", "b/c"]}
    write("records", catalog=document(catalog), repositories=document(names), repository=document(repository), tags=document({"tags": [tag]}))


def paging():
    # How `arbitrary` reads a map of names to rows: a flag before each entry; the lengths of names are at the end.
    write("paging", few=b"\x01\x02ab\x01\x01cd\x00", many=bytes(range(256)) * 4)


for write_all in (references, manifests, headers, unixfs, car, dns, tsig, router, ranges, gateway, configuration, credentials, archive, layers, records, paging):
    write_all()

write(
    "patterns",
    versions="1.#.#{,-alpine}\0" + "1.2.3\0" + "1.2.3-alpine\0",
    prereleases="[v]#.#[.#]{pre}-*\0v1.2.3-rc.1-x\0",
    expression="/([0-9]+)-x(?:\\.([0-9]+))?/\0001-x.2\0",
)
write(
    "rules",
    file="""version = 1
[defaults]
leave = "14d"
[[rule]]
image = "nginx"
tags = ["1.#.#{,-alpine}", "stable"]
newest = 3
except = ["1.29.3*"]
[[rule]]
sources = ["compose:a.yaml", "command:kubeadm config images list"]
[[hook]]
on = ["new"]
run = ["true"]
""",
    lock=f"# mirror.lock 1\ndocker.io/library/nginx 1.29 {EMPTY} linux/amd64\n",
    regsync="version: 1\nsync:\n  - source: nginx\n    target: x/nginx\n    type: repository\n    tags: {allow: ['1\\.\\d+']}\n",
    compose="services: {web: {image: 'nginx:${V:-1}'}}\n",
    dockerfile="ARG V=1\nFROM nginx:${V} AS base\nCOPY --from=busybox:1 /a /b\n",
    pod="kind: Pod\nspec: {containers: [{image: nginx}]}\n",
)
