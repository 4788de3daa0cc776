//! What a request to the gateway asks for: a path below a root, a format, and which blocks (trustless gateway spec,
//! "HTTP Request"; IPIP-412 and IPIP-523 for the parameters of CARs).
//!
//! Pure: text in, typed values or a refusal out.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use cid::Cid;
use url::form_urlencoded;

use super::super::endpoint::decoded;
use super::accept::{Accepted, accepted};
use super::entity_bytes::EntityBytes;
use super::refusal::Refusal;

pub(super) const RAW_TYPE: &str = "application/vnd.ipld.raw";
pub(super) const CAR_TYPE: &str = "application/vnd.ipld.car";
pub(super) const RECORD_TYPE: &str = "application/vnd.ipfs.ipns-record";

/// Names below the root in one path: more than any tree that is published here has (`unixfs/tree.rs`).
const MAX_PATH_NAMES: usize = 255;
/// Characters of a CID: more than base 2 takes for one with a SHA-256.
const MAX_CID_CHARACTERS: usize = 320;

/// A root, and names that lead down from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentPath {
    pub(super) root: Cid,
    pub(super) names: Vec<String>,
}

/// How a client wants what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Raw,
    Car(CarOptions),
    Record,
}

/// Which blocks a CAR shall have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CarOptions {
    pub(super) scope: Scope,
    /// Of a file, these bytes alone; the scope is an entity then, or one block.
    pub(super) bytes: Option<EntityBytes>,
    pub(super) duplicates: Duplicates,
}

/// How much of what is at the end of the path (`dag-scope`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Scope {
    Block,
    Entity,
    #[default]
    All,
}

/// Whether a block comes as often as it is linked (`dups`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Duplicates {
    /// Nothing was said.
    #[default]
    Unsaid,
    Wanted,
    Excluded,
}

/// The parts of the query that mean something here; of several with one name, the first.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) format: Option<String>,
    pub(super) filename: Option<String>,
    scope: Option<String>,
    bytes: Option<String>,
    car: CarParameters<String>,
}

/// Parameters of the media type of CARs.
#[derive(Debug, Default)]
struct CarParameters<T> {
    version: Option<T>,
    order: Option<T>,
    duplicates: Option<T>,
}

/// Reads a CID as it stands in a path.
pub(super) fn parse_cid(text: &str) -> Option<Cid> {
    // The library would take whatever stands before `/ipfs/` for a part of it.
    if text.len() > MAX_CID_CHARACTERS || text.contains('/') {
        return None;
    }
    text.parse().ok()
}

impl ContentPath {
    /// Reads what follows `/ipfs/`. Slashes too many mean nothing.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let mut parts = path.split('/');
        let root = parts.next().and_then(decoded).as_deref().and_then(parse_cid);
        let root = root.ok_or_else(|| Refusal::bad("what follows `/ipfs/` is no CID"))?;
        let names = parts.filter(|part| !part.is_empty()).map(decoded).collect::<Option<Vec<_>>>();
        let names = names.ok_or_else(|| Refusal::bad("the path is not UTF-8"))?;
        if names.len() > MAX_PATH_NAMES {
            return Err(Refusal::bad(format!("the path has more than {MAX_PATH_NAMES} names")));
        }
        Ok(Self { root, names })
    }
}

impl Parameters {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let mut read = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let field = match &*key {
                "format" => &mut read.format,
                "filename" => &mut read.filename,
                "dag-scope" => &mut read.scope,
                "entity-bytes" => &mut read.bytes,
                "car-version" => &mut read.car.version,
                "car-order" => &mut read.car.order,
                "car-dups" => &mut read.car.duplicates,
                _ => continue,
            };
            field.get_or_insert_with(|| value.into_owned());
        }
        read
    }

    /// The format that is asked for: by the query, else by `Accept`.
    pub(super) fn format(&self, headers: &HeaderMap) -> Result<Format, Refusal> {
        let accepted = accepted(headers);
        match self.format.as_deref() {
            Some("raw") => Ok(Format::Raw),
            Some("ipns-record") => Ok(Format::Record),
            Some("car") => {
                let car = accepted.iter().find(|accepted| accepted.is(CAR_TYPE));
                let options = self.car(&car.map(CarParameters::of).unwrap_or_default());
                options.ok_or_else(Self::no_such_car)?.map(Format::Car)
            }
            Some(_) => Err(no_such_format(StatusCode::NOT_ACCEPTABLE)),
            // The spec has a status of its own for who says nothing at all.
            None if !headers.contains_key(ACCEPT) => Err(no_such_format(StatusCode::BAD_REQUEST)),
            None => self.accepted_format(&accepted),
        }
    }

    fn accepted_format(&self, accepted: &[Accepted<'_>]) -> Result<Format, Refusal> {
        let mut saw_car = false;
        for one in accepted {
            if one.is(RAW_TYPE) {
                return Ok(Format::Raw);
            } else if one.is(RECORD_TYPE) {
                return Ok(Format::Record);
            } else if one.is(CAR_TYPE) {
                saw_car = true;
                if let Some(options) = self.car(&CarParameters::of(one)) {
                    return options.map(Format::Car);
                }
            }
        }
        Err(if saw_car { Self::no_such_car() } else { no_such_format(StatusCode::NOT_ACCEPTABLE) })
    }

    /// A CAR with these parameters of its media type, those of the query before them; nothing for a form that there is not.
    fn car(&self, accepted: &CarParameters<&str>) -> Option<Result<CarOptions, Refusal>> {
        let first = |own: &Option<String>, other: Option<&str>| {
            own.as_deref().filter(|own| !own.is_empty()).or(other).unwrap_or_default().to_owned()
        };
        let version = first(&self.car.version, accepted.version);
        let order = first(&self.car.order, accepted.order);
        let duplicates = match &*first(&self.car.duplicates, accepted.duplicates) {
            "" => Duplicates::Unsaid,
            "y" => Duplicates::Wanted,
            "n" => Duplicates::Excluded,
            _ => return None,
        };
        // Depth first is one of the orders that nobody knows.
        if !matches!(&*version, "" | "1") || !matches!(&*order, "" | "dfs" | "unk") {
            return None;
        }
        Some(self.scope().map(|(scope, bytes)| CarOptions { scope, bytes, duplicates }))
    }

    fn scope(&self) -> Result<(Scope, Option<EntityBytes>), Refusal> {
        let scope = match self.scope.as_deref() {
            None => None,
            Some("block") => Some(Scope::Block),
            Some("entity") => Some(Scope::Entity),
            Some("all") => Some(Scope::All),
            Some(_) => return Err(Refusal::bad("`dag-scope` must be `block`, `entity` or `all`")),
        };
        let bytes = self.bytes.as_deref().map(str::parse::<EntityBytes>).transpose().map_err(Refusal::bad)?;
        Ok(match (scope, bytes) {
            (Some(Scope::Block), _) => (Scope::Block, None),
            (_, Some(bytes)) => (Scope::Entity, Some(bytes)),
            (scope, None) => (scope.unwrap_or_default(), None),
        })
    }

    fn no_such_car() -> Refusal {
        let words = "CARs here have version 1, order `dfs`, and duplicates (`dups=y`) or none (`dups=n`)";
        Refusal::new(StatusCode::NOT_ACCEPTABLE, words)
    }
}

fn no_such_format(status: StatusCode) -> Refusal {
    Refusal::new(
        status,
        "ask for a block with `?format=raw`, for several with `?format=car`, or for the record of a name with \
         `?format=ipns-record`: this gateway has no other formats",
    )
}

impl<'a> CarParameters<&'a str> {
    fn of(accepted: &Accepted<'a>) -> Self {
        Self {
            version: accepted.parameter("version"),
            order: accepted.parameter("order"),
            duplicates: accepted.parameter("dups"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    fn format(query: &str, accept: &str) -> Result<Format, u16> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Parameters::parse(Some(query)).format(&headers).map_err(|refusal| refusal.status())
    }

    fn car(scope: Scope, duplicates: Duplicates) -> Format {
        Format::Car(CarOptions { scope, bytes: None, duplicates })
    }

    #[test]
    fn formats() {
        use Duplicates::{Excluded, Unsaid, Wanted};
        use Scope::{All, Block, Entity};
        let cases = [
            ("format=raw", "", Ok(Format::Raw)),
            ("", RAW_TYPE, Ok(Format::Raw)),
            ("format=raw", CAR_TYPE, Ok(Format::Raw)),
            ("format=car", RAW_TYPE, Ok(car(All, Unsaid))),
            ("format=car&dag-scope=block", "", Ok(car(Block, Unsaid))),
            ("dag-scope=entity", CAR_TYPE, Ok(car(Entity, Unsaid))),
            ("format=car&dag-scope=all", "", Ok(car(All, Unsaid))),
            ("", "application/vnd.ipld.car; version=1; order=dfs; dups=y", Ok(car(All, Wanted))),
            ("", "application/vnd.ipld.car;order=unk;dups=n", Ok(car(All, Excluded))),
            ("format=car", "application/vnd.ipld.car;dups=y", Ok(car(All, Wanted))),
            ("format=car&car-dups=y", "application/vnd.ipld.car;dups=n", Ok(car(All, Wanted))),
            ("format=car&car-order=dfs", "application/vnd.ipld.car;order=unk", Ok(car(All, Unsaid))),
            // The best that there is.
            (
                "",
                "application/vnd.ipld.car;order=foo, application/vnd.ipld.car;order=dfs;dups=y;q=0.5",
                Ok(car(All, Wanted)),
            ),
            ("", "application/vnd.ipld.car;q=0.1, application/vnd.ipld.raw;q=0.2", Ok(Format::Raw)),
            ("format=ipns-record", "", Ok(Format::Record)),
            ("", RECORD_TYPE, Ok(Format::Record)),
            ("", "", Err(406)),
            ("", "*/*", Err(406)),
            ("", "text/html,application/xhtml+xml,*/*;q=0.8", Err(406)),
            ("format=tar", RAW_TYPE, Err(406)),
            ("format=", RAW_TYPE, Err(406)),
            ("format=car&car-version=2", "", Err(406)),
            ("", "application/vnd.ipld.car;version=2", Err(406)),
            ("format=car&car-order=foo", "", Err(406)),
            ("format=car&car-dups=x", "", Err(406)),
            ("format=car&dag-scope=foo", "", Err(400)),
            ("format=car&dag-scope=", "", Err(400)),
            ("format=car&entity-bytes=1", "", Err(400)),
            ("format=car&entity-bytes=", "", Err(400)),
        ];
        for (query, accept, expected) in cases {
            assert_eq!(format(query, accept), expected, "{query} {accept}");
        }
        let silent = Parameters::default().format(&HeaderMap::new());
        assert_eq!(silent.unwrap_err().status(), 400);
        let bytes = Some("0:5".parse().unwrap());
        for (query, scope, bytes) in [
            ("format=car&entity-bytes=0:5", Entity, bytes),
            ("format=car&entity-bytes=0%3A5&dag-scope=all", Entity, bytes),
            ("format=car&entity-bytes=0:5&dag-scope=entity&entity-bytes=1:2", Entity, bytes),
            ("format=car&entity-bytes=0:5&dag-scope=block", Block, None),
        ] {
            assert_eq!(format(query, ""), Ok(Format::Car(CarOptions { scope, bytes, duplicates: Unsaid })), "{query}");
        }
    }

    #[test]
    fn paths() {
        let root: Cid = CID.parse().unwrap();
        for (path, names) in [
            (CID.to_owned(), &[][..]),
            (format!("{CID}/"), &[]),
            (format!("{CID}//a///b/"), &["a", "b"]),
            (format!("{CID}/a%20b/c%2Fd/%E2%82%AC/.."), &["a b", "c/d", "€", ".."]),
            (CID.replace("baf", "%62af"), &[]),
        ] {
            let parsed = ContentPath::parse(&path).unwrap();
            assert_eq!(
                (parsed.root, parsed.names.iter().map(String::as_str).collect::<Vec<_>>()),
                (root, names.to_vec())
            );
        }
        assert!(ContentPath::parse("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/x").is_ok());
        for bad in
            ["", "/", "x", "bafy", &CID[1..], &format!("x%2Fipfs%2F{CID}"), &format!("{CID}/%ff"), &"a/".repeat(300)]
        {
            assert_eq!(ContentPath::parse(bad).unwrap_err().status(), 400, "{bad}");
        }
        let deep = |count| ContentPath::parse(&format!("{CID}{}", "/a".repeat(count)));
        assert!(deep(MAX_PATH_NAMES).is_ok() && deep(MAX_PATH_NAMES + 1).is_err());
        assert!(parse_cid(&"b".repeat(MAX_CID_CHARACTERS + 1)).is_none());
    }

    proptest! {
        #[test]
        fn any_request_is_read_or_refused(
            path in "\\PC{0,60}|[a-zA-Z0-9/%.]{0,80}",
            query in "((format|dag-scope|entity-bytes|car-dups|car-order|filename)=[a-z0-9:*%-]{0,9}&?){0,4}|\\PC{0,60}",
            accept in "(application/vnd\\.ipld\\.(raw|car)(;(q|dups|order|version)=[a-z0-9.]{0,4})?,?){0,3}|[ -~]{0,40}",
        ) {
            let _ = ContentPath::parse(&path);
            if let Ok(Format::Car(options)) = format(&query, &accept) {
                prop_assert!(options.bytes.is_none() || options.scope == Scope::Entity);
            }
        }
    }
}
