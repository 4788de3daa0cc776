//! Authoritative DNS servers, the same whichever program: one zone, a key that may change one record, and one for the tests.

use super::{Finished, command, finish, free_port, program};

/// The key that may change the TXT records at `_dnslink` and nothing else.
pub(crate) const KEY: &str = "roadstead";
/// Its secret.
pub(crate) const SECRET: &str = "cm9hZHN0ZWFkJ3Mgc2VjcmV0LCBvZiAzMiBieXRlcy4=";
/// The key that may change anything, for what another writer does.
const ADMIN: &str = "admin";
const ADMIN_SECRET: &str = "dGhlIHNlY3JldCBvZiBhbm90aGVyIHdyaXRlciwgbG9uZw==";
/// A zone that no key may change.
pub(crate) const FIXED: &str = "fixed.test";

/// The keys in the format that BIND and `nsupdate` read.
pub(crate) fn bind_keys() -> String {
    let key = |name, secret| format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n");
    key(KEY, SECRET) + &key(ADMIN, ADMIN_SECRET)
}

/// The keys in Knot's format.
pub(crate) fn knot_keys() -> String {
    let key = |name, secret| format!("  - id: {name}\n    algorithm: hmac-sha256\n    secret: {secret}\n");
    format!("key:\n{}{}", key(KEY, SECRET), key(ADMIN, ADMIN_SECRET))
}

/// A zone with one name server, which is on this machine, and an address.
pub(crate) fn zone_file(domain: &str) -> String {
    format!(
        "$ORIGIN {domain}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n@ A 127.0.0.1\n\
         alias CNAME _dnslink\naway CNAME elsewhere.example.\n"
    )
}

/// A port that is free for TCP and UDP.
pub(crate) fn port() -> u16 {
    loop {
        let port = free_port();
        if std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn dig(port: u16, words: &[&str]) -> Finished {
    let mut dig = command(program("dig"), &std::env::temp_dir());
    dig.args(["@127.0.0.1", "-p", &port.to_string(), "+tcp", "+norecurse", "+time=5", "+tries=1"]).args(words);
    finish(&dig)
}

/// The serial number of a zone, once the server has it.
pub(crate) fn serial(port: u16, domain: &str) -> Option<u32> {
    let found = dig(port, &["+short", domain, "SOA"]);
    found.stdout.split_whitespace().nth(2)?.parse().ok()
}

/// The TXT records at a name as the server writes them, quotes and splits included, sorted.
pub(crate) fn raw_txt(port: u16, name: &str) -> Vec<String> {
    let mut lines: Vec<String> = dig(port, &["+short", name, "TXT"]).success().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The TXT records at a name, their strings joined, sorted.
pub(crate) fn txt(port: u16, name: &str) -> Vec<String> {
    let mut values: Vec<String> =
        raw_txt(port, name).iter().map(|line| line.trim_matches('"').replace("\" \"", "")).collect();
    values.sort();
    values
}

/// The time to live of the TXT records at a name.
pub(crate) fn ttl(port: u16, name: &str) -> Option<u32> {
    let found = dig(port, &["+noall", "+answer", name, "TXT"]).success();
    found.split_whitespace().nth(1)?.parse().ok()
}

/// Replaces the TXT records at a name, each given as in a zone file (`"a" "b"`), as another writer does.
pub(crate) fn set_raw_txt(port: u16, domain: &str, name: &str, records: &[&str]) {
    let directory = super::Directory::new();
    let mut lines = format!("server 127.0.0.1 {port}\nzone {domain}\nupdate delete {name} TXT\n");
    for record in records {
        lines.extend(["update add ", name, " 60 TXT ", record, "\n"]);
    }
    let lines = directory.write("update", lines + "send\n");
    let mut nsupdate = command(program("nsupdate"), directory.path());
    nsupdate.args(["-v", "-y", &format!("hmac-sha256:{ADMIN}:{ADMIN_SECRET}")]).arg(lines);
    finish(&nsupdate).success();
}

/// Replaces the TXT records at a name by these values.
pub(crate) fn set_txt(port: u16, domain: &str, name: &str, values: &[&str]) {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    set_raw_txt(port, domain, name, &quoted.iter().map(String::as_str).collect::<Vec<_>>());
}
