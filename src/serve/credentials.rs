//! Who may come in: basic authentication against an htpasswd file with bcrypt entries (RFC 7617; Apache's format).
//!
//! Holds hashes, never passwords; nothing here is `Debug`, and no error shows more of a line than its number and user.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::fair_queue::FairQueue;
use super::peer::Peer;
use super::refusal::Refusal;
use super::watched::{Fallback, Watched};
use crate::error::{Context as _, Error, Kind, Result};
use crate::text::printable_within;

/// Bytes of the largest file that is read.
const MAX_USERS_FILE_BYTES: u64 = 1024 * 1024;
/// The lowest cost of an entry that bcrypt knows.
const MIN_BCRYPT_COST: u32 = 4;
/// The highest cost of an entry: about ten seconds of computing per attempt.
const MAX_BCRYPT_COST: u32 = 16;
/// Passwords that are computed at once; guessing must not take the machine away from pulls.
const MAX_CONCURRENT_CHECKS: usize = 2;
/// Passwords of one peer that wait for that; more are turned away.
const MAX_WAITING_PER_PEER: usize = 32;
/// Accepted credentials that are remembered.
const MAX_REMEMBERED_CREDENTIALS: usize = 4096;

/// The users of one reading of the file.
pub(super) struct Users {
    hashes: HashMap<String, (u32, String)>,
    /// The highest cost of an entry: every attempt costs so much.
    cost: u32,
    /// Keyed hashes of credentials that were right: a bcrypt check takes a large part of a second.
    accepted: Mutex<HashSet<[u8; 32]>>,
}

/// Checks the credentials of requests.
pub(super) struct Credentials {
    users: Watched<Users>,
    key: [u8; 32],
    turns: Arc<FairQueue>,
}

impl Credentials {
    /// Reads the file; refuses one that has no entry, or one that is not bcrypt.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let file = path.to_owned();
        // Someone who was taken out of the list must not stay because of a mistake in another line.
        let users = Watched::load("the list of users", vec![path.to_owned()], Fallback::Nothing, move || read(&file))?;
        Ok(Self { users, key: rand::random(), turns: FairQueue::new(MAX_CONCURRENT_CHECKS, MAX_WAITING_PER_PEER) })
    }

    /// Reads the file again at the next request.
    pub(super) fn read_again(&self) {
        self.users.read_again();
    }

    /// Lets a request with this `Authorization` header in, or says why not.
    pub(super) async fn check(&self, header: Option<&HeaderValue>, peer: Peer) -> Result<(), Refusal> {
        let users = self.users.get().await.ok_or_else(|| Refusal::unavailable("the list of users can't be read"))?;
        let Some((user, password)) = header.and_then(basic) else { return Err(Refusal::unauthorized()) };
        let fingerprint = self.fingerprint(&user, &password);
        if users.has_accepted(&fingerprint) {
            return Ok(());
        }
        let turn = self.turns.wait(peer).await.ok_or_else(Refusal::too_many_attempts)?;
        let asked = Arc::clone(&users);
        let right = tokio::task::spawn_blocking(move || {
            // Held until it is computed, even if nobody waits for it any more.
            let _turn = turn;
            asked.have(&user, &password)
        });
        if !right.await.unwrap_or(false) {
            return Err(Refusal::unauthorized());
        }
        users.accept(fingerprint);
        Ok(())
    }

    fn fingerprint(&self, user: &str, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(password);
        hash.finalize().into()
    }
}

impl Users {
    /// Whether this is a user's password. Takes as long for every user, known or not, whatever their entries cost.
    fn have(&self, user: &str, password: &[u8]) -> bool {
        let known = self.hashes.get(user);
        let is_right = known.is_some_and(|(_, hash)| bcrypt::verify(password, hash).unwrap_or(false));
        for cost in rest(known.map(|(cost, _)| *cost), self.cost) {
            #[cfg(test)]
            tests::COMPUTED.with(|computed| computed.set(computed.get() + (1 << cost)));
            // Computed for its time alone.
            let _ = std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16]));
        }
        is_right
    }

    fn has_accepted(&self, fingerprint: &[u8; 32]) -> bool {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).contains(fingerprint)
    }

    fn accept(&self, fingerprint: [u8; 32]) {
        // Bcrypt looks at 72 bytes only, so one user can have more than one right password.
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.len() >= MAX_REMEMBERED_CREDENTIALS {
            accepted.clear();
        }
        accepted.insert(fingerprint);
    }
}

/// The costs that are to be computed after an entry of this one, or none, so that all takes as long as `highest`: each cost
/// takes twice the time of the one below.
fn rest(spent: Option<u32>, highest: u32) -> impl Iterator<Item = u32> {
    let alone = spent.is_none().then_some(highest);
    spent.map_or(0..0, |spent| spent..highest).chain(alone)
}

/// User and password of a `Basic` header.
pub(super) fn basic(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = std::str::from_utf8(&decoded[..colon]).ok()?.to_owned();
    Some((user, decoded[colon + 1..].to_vec()))
}

fn read(path: &Path) -> Result<Users> {
    let shown = path.display();
    let file = crate::input::open_regular(path).context(|| shown.to_string())?;
    let mut text = String::new();
    file.take(MAX_USERS_FILE_BYTES + 1).read_to_string(&mut text).context(|| shown.to_string())?;
    if text.len() as u64 > MAX_USERS_FILE_BYTES {
        return Err(Error::new(Kind::Usage, format!("{shown} has more than {MAX_USERS_FILE_BYTES} bytes")));
    }
    parse(&text).map_err(|error| error.context(&shown))
}

pub(super) fn parse(text: &str) -> Result<Users> {
    let mut hashes = HashMap::new();
    let mut highest: Option<u32> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let refuse = |what: String, hint: &str| {
            Err(Error::new(Kind::Usage, format!("line {number}: {what}")).hint(hint.to_owned()))
        };
        let hint = "`htpasswd -B FILE USER` writes an entry with bcrypt.";
        let Some((user, hash)) = line.split_once(':') else {
            return refuse("it is not `user:hash`".to_owned(), hint);
        };
        let user = printable_within(user, 60);
        let scheme = match hash {
            _ if ["$2y$", "$2b$", "$2a$"].iter().any(|start| hash.starts_with(start)) => "",
            _ if hash.starts_with("$apr1$") => "MD5 (apr1)",
            _ if hash.starts_with("{SHA}") => "SHA-1",
            _ if hash.starts_with("$5$") || hash.starts_with("$6$") => "crypt's SHA-2",
            _ => "plain text or crypt",
        };
        if !scheme.is_empty() {
            return refuse(format!("the password of `{user}` is {scheme}, only bcrypt is accepted"), hint);
        }
        let Ok(parts) = hash.parse::<bcrypt::HashParts>() else {
            return refuse(format!("the password of `{user}` is not a complete bcrypt hash"), hint);
        };
        let cost = parts.get_cost();
        if !(MIN_BCRYPT_COST..=MAX_BCRYPT_COST).contains(&cost) {
            return refuse(
                format!("the password of `{user}` has cost {cost}; allowed are {MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}"),
                hint,
            );
        }
        highest = highest.max(Some(cost));
        // As Apache does it: the first entry of a user counts.
        hashes.entry(line.split(':').next().unwrap_or_default().to_owned()).or_insert_with(|| (cost, hash.to_owned()));
    }
    let Some(cost) = highest else {
        return Err(Error::new(Kind::Usage, "there is no user in it").hint("`htpasswd -B FILE USER` adds one."));
    };
    Ok(Users { hashes, cost, accepted: Mutex::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        /// What this thread has computed for its time alone, in rounds.
        pub(super) static COMPUTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// Written by `htpasswd -nbB -C 4 anna 'pass:word'` of Apache 2.4.
    const ANNA: &str = "anna:$2y$04$okLo6u4j9vx2NyWD/Rbbf.O4LlBVrgirJq1Zde88Ou6HVmcdR3/Cm";

    fn header(user: &str, password: &str) -> HeaderValue {
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).unwrap()
    }

    fn peer(last: u8) -> Peer {
        Peer::of(([192, 0, 2, last], 1).into())
    }

    async fn is_let_in(credentials: &Credentials, header: Option<&HeaderValue>) -> bool {
        credentials.check(header, peer(1)).await.is_ok()
    }

    async fn accepted(credentials: &Credentials) -> usize {
        credentials.users.get().await.unwrap().accepted.lock().unwrap().len()
    }

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn look_again(credentials: &Credentials) {
        credentials.users.look_again();
    }

    #[tokio::test]
    async fn lets_in_who_is_listed_and_remembers() {
        let (_directory, path) = written(&format!("# users\n\n{ANNA}\n"));
        let credentials = Credentials::load(&path).unwrap();
        let right = header("anna", "pass:word");
        for _ in 0..2 {
            assert!(is_let_in(&credentials, Some(&right)).await);
            assert_eq!(accepted(&credentials).await, 1);
        }
        for wrong in [
            None,
            Some(header("anna", "pass:wor")),
            Some(header("anna", "")),
            Some(header("", "")),
            Some(header("bert", "pass:word")),
            Some(HeaderValue::from_static("Bearer abc")),
            Some(HeaderValue::from_static("Basic !")),
            Some(HeaderValue::from_static("Basic")),
            Some(HeaderValue::from_static("Basic YW5uYQ==")),
        ] {
            assert!(!is_let_in(&credentials, wrong.as_ref()).await, "{wrong:?}");
        }
        assert_eq!(accepted(&credentials).await, 1);
    }

    #[tokio::test]
    async fn a_changed_file_counts_at_the_next_look() {
        let (_directory, path) = written(ANNA);
        let credentials = Credentials::load(&path).unwrap();
        let anna = header("anna", "pass:word");
        assert!(is_let_in(&credentials, Some(&anna)).await);
        std::fs::write(&path, format!("bert:{}", bcrypt::hash("b", 4).unwrap())).unwrap();
        look_again(&credentials);
        assert!(!is_let_in(&credentials, Some(&anna)).await);
        assert!(is_let_in(&credentials, Some(&header("bert", "b"))).await);
        // Damaged, gone: nobody; repaired: those in it.
        std::fs::write(&path, format!("{ANNA}\nbert:$apr1$x$y")).unwrap();
        look_again(&credentials);
        assert!(!is_let_in(&credentials, Some(&header("bert", "b"))).await);
        assert!(!is_let_in(&credentials, Some(&anna)).await);
        std::fs::remove_file(&path).unwrap();
        look_again(&credentials);
        assert!(!is_let_in(&credentials, Some(&anna)).await);
        std::fs::write(&path, ANNA).unwrap();
        look_again(&credentials);
        assert!(is_let_in(&credentials, Some(&anna)).await);
    }

    #[tokio::test]
    async fn a_flood_of_wrong_passwords_keeps_nobody_else_out() {
        let (_directory, path) = written(ANNA);
        let credentials = Arc::new(Credentials::load(&path).unwrap());
        // Nothing is computed until these are given back.
        let busy = [credentials.turns.wait(peer(9)).await.unwrap(), credentials.turns.wait(peer(9)).await.unwrap()];
        let mut flood = Vec::new();
        for number in 0..200 {
            let wrong = header("anna", &number.to_string());
            let mut attempt =
                Box::pin(async { credentials.check(Some(&wrong), peer(1)).await.err().map(|no| no.status()) });
            match futures::poll!(&mut attempt) {
                std::task::Poll::Ready(refused) => {
                    assert_eq!((refused, number >= MAX_WAITING_PER_PEER), (Some(429), true));
                }
                std::task::Poll::Pending => assert!(number < MAX_WAITING_PER_PEER),
            }
            drop(attempt);
            flood.push(tokio::spawn({
                let credentials = Arc::clone(&credentials);
                async move { credentials.check(Some(&wrong), peer(1)).await.is_ok() }
            }));
            tokio::task::yield_now().await;
        }
        let right = tokio::spawn({
            let credentials = Arc::clone(&credentials);
            async move { credentials.check(Some(&header("anna", "pass:word")), peer(2)).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(busy);
        assert!(right.await.unwrap());
        for attempt in flood {
            assert!(!attempt.await.unwrap());
        }
    }

    #[test]
    fn every_attempt_costs_the_same() {
        let work = |spent: Option<u32>, highest: u32| -> u64 {
            let own = spent.map_or(0, |cost| 1 << cost);
            rest(spent, highest).map(|cost| 1_u64 << cost).sum::<u64>() + own
        };
        for highest in MIN_BCRYPT_COST..=MAX_BCRYPT_COST {
            assert_eq!(work(None, highest), 1 << highest);
            for spent in MIN_BCRYPT_COST..=highest {
                assert_eq!(work(Some(spent), highest), 1 << highest, "{spent} of {highest}");
            }
        }
        let users = parse(&format!("{ANNA}\nbert:{}", bcrypt::hash("b", 6).unwrap())).unwrap();
        assert_eq!((users.cost, users.hashes["anna"].0, users.hashes["bert"].0), (6, 4, 6));
        for (user, password, is_right, own) in [
            ("anna", "pass:word", true, 1 << 4),
            ("anna", "b", false, 1 << 4),
            ("bert", "b", true, 1 << 6),
            ("bert", "", false, 1 << 6),
            ("carl", "b", false, 0),
        ] {
            COMPUTED.set(0);
            assert_eq!(users.have(user, password.as_bytes()), is_right, "{user} {password}");
            assert_eq!(COMPUTED.get() + own, 1 << 6, "{user} {password}");
        }
    }

    #[test]
    fn other_hashes_are_refused_by_line_and_without_showing_them() {
        let cases = [
            ("anna:$apr1$secret$secret", "MD5"),
            ("anna:{SHA}secret", "SHA-1"),
            ("anna:$6$secret", "SHA-2"),
            ("anna:secret", "plain text"),
            ("anna:$2y$05$secret", "complete"),
            ("secret", "user:hash"),
            (&ANNA.replace("$04$", "$31$"), "cost"),
        ];
        for (line, reason) in cases {
            let error = parse(&format!("{ANNA}\n\n{line}\n")).err().unwrap();
            let text = error.to_string();
            assert!(text.contains("line 3") && text.contains(reason), "{text}");
            assert!(!text.contains("secret"), "{text}");
            assert!(error.hints()[0].contains("htpasswd -B"));
        }
        assert!(parse("# nobody\n").err().unwrap().to_string().contains("no user"));
    }
}
