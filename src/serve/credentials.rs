//! Who may come in: basic authentication against an htpasswd file with bcrypt entries (RFC 7617; Apache's format).
//!
//! Holds hashes, never passwords; nothing here is `Debug`, and no error shows more of a line than its number and user.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::refusal::Refusal;
use crate::error::{Context as _, Error, Kind, Result};
use crate::text::printable_within;

/// Bytes of the largest file that is read.
const LARGEST: u64 = 1024 * 1024;
/// How often the file is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The highest cost of an entry: about ten seconds of computing per attempt.
const HIGHEST_COST: u32 = 16;
/// Passwords that are computed at once; guessing must not take the machine away from pulls.
const AT_ONCE: usize = 2;
/// Passwords that wait for that; more are turned away.
const WAITING: usize = 64;
/// Accepted credentials that are remembered.
const REMEMBERED: usize = 4096;

/// The users of one reading of the file.
struct Users {
    hashes: HashMap<String, String>,
    /// What the password of an unknown user is checked against, so that the time taken doesn't tell who is known.
    costliest: String,
}

/// What tells that a file is not the one that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, (i64, i64), (i64, i64));

struct State {
    stamp: Option<Stamp>,
    looked: Instant,
    /// Nothing while the file can't be used: then nobody gets in.
    users: Option<Arc<Users>>,
    /// Keyed hashes of credentials that were right: a bcrypt check takes a large part of a second.
    accepted: HashSet<[u8; 32]>,
}

/// The guard at the door.
pub(super) struct Credentials {
    path: PathBuf,
    state: Mutex<State>,
    looking: tokio::sync::Mutex<()>,
    key: [u8; 32],
    computing: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Credentials {
    /// Reads the file; refuses one that has no entry, or one that is not bcrypt.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let (stamp, users) = read(path)?;
        let state = State {
            stamp: Some(stamp),
            looked: Instant::now(),
            users: Some(Arc::new(users)),
            accepted: HashSet::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
            looking: tokio::sync::Mutex::new(()),
            key: rand::random(),
            computing: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Lets a request with this `Authorization` header in, or says why not.
    pub(super) async fn check(&self, header: Option<&HeaderValue>) -> Result<(), Refusal> {
        let users = self.users().await.ok_or_else(|| Refusal::unavailable("the list of users can't be read"))?;
        let Some((user, password)) = header.and_then(basic) else { return Err(Refusal::unauthorized()) };
        let fingerprint = self.fingerprint(&user, &password);
        if self.state().accepted.contains(&fingerprint) {
            return Ok(());
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::too_many_attempts())?;
        let permit = Arc::clone(&self.computing).acquire_owned().await.map_err(|_| Refusal::too_many_attempts())?;
        let asked = Arc::clone(&users);
        let right = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let known = asked.hashes.get(&user);
            let same = bcrypt::verify(&password, known.unwrap_or(&asked.costliest)).unwrap_or(false);
            same && known.is_some()
        });
        if !right.await.unwrap_or(false) {
            return Err(Refusal::unauthorized());
        }
        let mut state = self.state();
        if state.users.as_ref().is_some_and(|now| Arc::ptr_eq(now, &users)) {
            // Bcrypt looks at 72 bytes only, so one user can have more than one right password.
            if state.accepted.len() >= REMEMBERED {
                state.accepted.clear();
            }
            state.accepted.insert(fingerprint);
        }
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fingerprint(&self, user: &str, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(password);
        hash.finalize().into()
    }

    /// The users, as the file has them now.
    async fn users(&self) -> Option<Arc<Users>> {
        let fresh = || {
            let state = self.state();
            (state.looked.elapsed() < LOOK_AGAIN).then(|| state.users.clone())
        };
        if let Some(users) = fresh() {
            return users;
        }
        let _looking = self.looking.lock().await;
        if let Some(users) = fresh() {
            return users;
        }
        let (path, before) = (self.path.clone(), self.state().stamp);
        let reading = tokio::task::spawn_blocking(move || match std::fs::metadata(&path) {
            Ok(metadata) if Some(Stamp::of(&metadata)) == before => None,
            _ => Some(read(&path)),
        });
        let reread = reading.await.unwrap_or_else(|error| {
            Some(Err(Error::new(Kind::Unexpected, "reading the list of users broke off").caused_by(error)))
        });
        let mut state = self.state();
        state.looked = Instant::now();
        match reread {
            None => {}
            Some(Ok((stamp, users))) => {
                tracing::info!(path = %self.path.display(), users = users.hashes.len(), "read the users again");
                state.stamp = Some(stamp);
                state.users = Some(Arc::new(users));
                state.accepted.clear();
            }
            Some(Err(error)) => {
                // Someone who was taken out of the list must not stay because of a mistake in another line.
                if state.users.is_some() {
                    tracing::error!(%error, "nobody is let in until the list of users is repaired");
                }
                state.stamp = None;
                state.users = None;
                state.accepted.clear();
            }
        }
        state.users.clone()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self(metadata.ino(), metadata.len(), modified, (metadata.ctime(), metadata.ctime_nsec()))
    }
}

/// User and password of a `Basic` header.
fn basic(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = std::str::from_utf8(&decoded[..colon]).ok()?.to_owned();
    Some((user, decoded[colon + 1..].to_vec()))
}

fn read(path: &Path) -> Result<(Stamp, Users)> {
    let shown = path.display();
    let file = crate::input::open_regular(path).context(|| shown.to_string())?;
    let stamp = Stamp::of(&file.metadata().context(|| shown.to_string())?);
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).context(|| shown.to_string())?;
    if text.len() as u64 > LARGEST {
        return Err(Error::new(Kind::Usage, format!("{shown} has more than {LARGEST} bytes")));
    }
    Ok((stamp, parse(&text).map_err(|error| error.context(&shown))?))
}

fn parse(text: &str) -> Result<Users> {
    let mut hashes = HashMap::new();
    let mut costliest: Option<(u32, String)> = None;
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
        if !(4..=HIGHEST_COST).contains(&cost) {
            return refuse(
                format!("the password of `{user}` has the cost {cost}, from 4 to {HIGHEST_COST} are usable"),
                hint,
            );
        }
        if costliest.as_ref().is_none_or(|(highest, _)| cost > *highest) {
            costliest = Some((cost, hash.to_owned()));
        }
        // As Apache does it: the first entry of a user counts.
        hashes.entry(line.split(':').next().unwrap_or_default().to_owned()).or_insert_with(|| hash.to_owned());
    }
    let Some((_, costliest)) = costliest else {
        return Err(Error::new(Kind::Usage, "there is no user in it").hint("`htpasswd -B FILE USER` adds one."));
    };
    Ok(Users { hashes, costliest })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `htpasswd -nbB -C 4 anna 'pass:word'` of Apache 2.4.
    const ANNA: &str = "anna:$2y$04$okLo6u4j9vx2NyWD/Rbbf.O4LlBVrgirJq1Zde88Ou6HVmcdR3/Cm";

    fn header(user: &str, password: &str) -> HeaderValue {
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).unwrap()
    }

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn look_again(credentials: &Credentials) {
        credentials.state().looked = Instant::now().checked_sub(LOOK_AGAIN).unwrap();
    }

    #[tokio::test]
    async fn lets_in_who_is_listed_and_remembers() {
        let (_directory, path) = written(&format!("# users\n\n{ANNA}\n"));
        let credentials = Credentials::load(&path).unwrap();
        let right = header("anna", "pass:word");
        for _ in 0..2 {
            assert!(credentials.check(Some(&right)).await.is_ok());
            assert_eq!(credentials.state().accepted.len(), 1);
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
            assert!(credentials.check(wrong.as_ref()).await.is_err(), "{wrong:?}");
        }
        assert_eq!(credentials.state().accepted.len(), 1);
    }

    #[tokio::test]
    async fn a_changed_file_counts_at_the_next_look() {
        let (_directory, path) = written(ANNA);
        let credentials = Credentials::load(&path).unwrap();
        let anna = header("anna", "pass:word");
        assert!(credentials.check(Some(&anna)).await.is_ok());
        std::fs::write(&path, format!("bert:{}", bcrypt::hash("b", 4).unwrap())).unwrap();
        look_again(&credentials);
        assert!(credentials.check(Some(&anna)).await.is_err());
        assert!(credentials.check(Some(&header("bert", "b"))).await.is_ok());
        // Damaged, gone: nobody; repaired: those in it.
        std::fs::write(&path, format!("{ANNA}\nbert:$apr1$x$y")).unwrap();
        look_again(&credentials);
        assert!(credentials.check(Some(&header("bert", "b"))).await.is_err());
        assert!(credentials.check(Some(&anna)).await.is_err());
        std::fs::remove_file(&path).unwrap();
        look_again(&credentials);
        assert!(credentials.check(Some(&anna)).await.is_err());
        std::fs::write(&path, ANNA).unwrap();
        look_again(&credentials);
        assert!(credentials.check(Some(&anna)).await.is_ok());
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
