//! Pages of long lists, filtered and sorted by the database, so that no face holds more rows than it shows.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::images::{self, Image};
use super::repositories::{self, Repository};
use super::search::{Bound, DIGEST_NAME, Search};
use crate::error::Result;

/// Column that a list of repositories is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RepositoryOrder {
    /// By name.
    #[default]
    Name,
    /// By how many images they have.
    Images,
    /// By the bytes of all their images in full.
    Size,
    /// By the bytes that nothing else needs.
    Unique,
    /// By when an image was added last.
    Added,
    /// By [`RowState`].
    State,
}

/// How the images of a repository are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageOrder {
    /// By tag, numbers in it as numbers.
    #[default]
    Tag,
    /// By the platforms that are here.
    Platforms,
    /// By their bytes in full.
    Size,
    /// By when they were added.
    Added,
    /// By [`RowState`].
    State,
}

/// What is said of a repository or an image in a list, what wants to be looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowState {
    /// It could not be brought here or up to date.
    Failed,
    /// Upstream did not have it any more when it was asked last.
    Gone,
    /// Upstream had something else when it was asked last.
    Outdated,
    /// It differs from what was published.
    Changed,
    /// No target gives it out yet.
    New,
    /// A repository that asks for a login upstream and is left out of the tree.
    Private,
    /// It is as it should be.
    Settled,
}

/// What the catalog does not know itself of states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States {
    /// By name, or by tag or digest.
    pub named: Vec<(String, RowState)>,
    /// State of every row that `named` does not have.
    pub others: RowState,
}

impl Default for States {
    fn default() -> Self {
        Self { named: Vec::new(), others: RowState::Settled }
    }
}

impl States {
    /// As a set for a query: names, each after the number of its state.
    pub(super) fn json(&self) -> String {
        let names: Vec<_> = self.named.iter().map(|(name, state)| format!("{}{name}", *state as u8)).collect();
        serde_json::json!(names).to_string()
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a, Order> {
    /// Only what this finds, as [`Search`] reads it. Where the list has its usual order, what matches its words best comes first.
    pub filter: &'a str,
    /// Column that the rows are sorted by.
    pub order: Order,
    /// The order turned around.
    pub descending: bool,
    /// Where the order is by state, or states are looked for: what is known of that.
    pub states: &'a States,
    /// Rows before the part, counted in this order and with this filter.
    pub offset: u64,
    /// The most rows that the part may have.
    pub limit: u64,
    /// A row that is looked for, by name, or by tag or digest: the part is then where that is, if it is there.
    pub around: Option<&'a str>,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// How many rows the whole list has with this filter.
    pub total: u64,
    /// How many of what the list is about it has: the rows, without headings and with what is folded.
    pub entries: u64,
    /// Rows that were skipped.
    pub offset: u64,
    /// Where the row is that was looked for.
    pub place: Option<u64>,
    /// The rows from `offset` on, at most as many as were asked for.
    pub rows: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { total: 0, entries: 0, offset: 0, place: None, rows: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// The same part with something else in its rows.
    pub fn try_map<U>(self, map: impl FnMut(T) -> Result<U>) -> Result<Rows<U>> {
        let Self { total, entries, offset, place, rows } = self;
        Ok(Rows { total, entries, offset, place, rows: rows.into_iter().map(map).collect::<Result<_>>()? })
    }
}

/// Images of which repositories a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The row of one repository; none: all of them, by name.
    pub repository: Option<i64>,
    /// Also images that only came along with another one.
    pub attached: bool,
}

impl<Order: Copy + Default + PartialEq> Part<'_, Order> {
    pub(super) fn direction(&self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    /// Whether what matches best comes first: nobody has chosen another order.
    pub(super) fn is_ranked(&self) -> bool {
        self.order == Order::default() && !self.descending
    }

    /// The rows of this part. `list`: what selects the number and two names of each row, sorted.
    fn ids(
        &self,
        connection: &Connection,
        list: &List<'_>,
        mut bound: Bound,
        wanted: Option<i64>,
    ) -> Result<Rows<i64>> {
        if list.search.has_words() || wanted.is_some() {
            let all = self.found(connection, list, &bound)?;
            let place = wanted.and_then(|wanted| all.iter().position(|id| *id == wanted));
            return Ok(self.cut(all, place));
        }
        let List { from, order, .. } = list;
        let total: u64 = connection
            .prepare_cached(&format!("SELECT count(*) {from}"))?
            .query_row(params_from_iter(&list.counted), |row| row.get(0))?;
        let number = |value| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        let (limit, offset) = (bound.bind(number(self.limit)), bound.bind(number(self.offset)));
        let query = format!("SELECT {} {from} ORDER BY {order} LIMIT {limit} OFFSET {offset}", list.id);
        let mut statement = connection.prepare_cached(&query)?;
        let rows = statement.query_map(params_from_iter(&bound.0), |row| row.get(0))?;
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Rows { total, entries: total, offset: self.offset, place: None, rows })
    }

    /// Every row that is found, in the order of the list or by how well it matches.
    fn found(&self, connection: &Connection, list: &List<'_>, bound: &Bound) -> Result<Vec<i64>> {
        let List { id, names, from, order, search, .. } = list;
        let mut statement = connection.prepare_cached(&format!("SELECT {id}, {names} {from} ORDER BY {order}"))?;
        let mut rows = statement.query(params_from_iter(&bound.0))?;
        let (mut finder, mut found) = (search.finder(), Vec::new());
        while let Some(row) = rows.next()? {
            let mut score = |column| -> Result<Option<u32>> {
                Ok(row
                    .get_ref(column)?
                    .as_str_or_null()
                    .map_err(rusqlite::Error::from)?
                    .and_then(|name| finder.score(name)))
            };
            // The better of its two names.
            if let Some(score) = score(1)?.max(score(2)?) {
                found.push((score, row.get(0)?));
            }
        }
        if self.is_ranked() {
            found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        }
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// The part of these rows; around the one at this place, if one was looked for and is there.
    pub(super) fn cut<T>(&self, mut all: Vec<T>, place: Option<usize>) -> Rows<T> {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let total = all.len() as u64;
        // In the middle, so that what is around it is there too.
        let offset = place.map_or(size(self.offset), |place| place.saturating_sub(size(self.limit) / 2));
        all.drain(..offset.min(all.len()));
        all.truncate(size(self.limit));
        Rows { total, entries: total, offset: offset as u64, place: place.map(|place| place as u64), rows: all }
    }
}

/// A list of rows as a query says it.
struct List<'a> {
    /// The number of a row.
    id: &'static str,
    /// Two names of a row, of which the second may be nothing.
    names: &'a str,
    /// The rows: from `FROM` on.
    from: String,
    /// The values that these have.
    counted: Vec<Value>,
    order: String,
    search: &'a Search,
}

/// These conditions, all of which have to hold.
pub(super) fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// The number of a row's state; `set` is what a statement calls the states that came with the question. A set is searched; a
/// join would read it whole for each row.
fn state(name: &str, conditions: [&str; 3], set: &str, others: RowState) -> String {
    let [is_private, is_gone, is_outdated] = conditions;
    let is = |state: RowState| format!("'{}' || {name} IN (SELECT value FROM json_each({set}))", state as u8);
    let cases = [
        (is(RowState::Failed), RowState::Failed),
        (is_private.to_owned(), RowState::Private),
        (is_gone.to_owned(), RowState::Gone),
        (is_outdated.to_owned(), RowState::Outdated),
        (is(RowState::Changed), RowState::Changed),
        (is(RowState::New), RowState::New),
        (is(RowState::Settled), RowState::Settled),
    ];
    let cases = cases.map(|(condition, state)| format!("WHEN {condition} THEN {}", state as u8));
    format!("CASE {} ELSE {} END", cases.join(" "), others as u8)
}

/// What repositories are sorted by, as a query says it.
pub(super) fn repository_key(part: &Part<'_, RepositoryOrder>, bound: &mut Bound) -> String {
    match part.order {
        RepositoryOrder::Name => "r.name".to_owned(),
        RepositoryOrder::Images => "r.tags".to_owned(),
        RepositoryOrder::Size => {
            "(SELECT coalesce(sum(i.logical), 0) FROM images i WHERE i.repository = r.id)".to_owned()
        }
        RepositoryOrder::Added => {
            "(SELECT coalesce(max(i.added_at), 0) FROM images i WHERE i.repository = r.id)".to_owned()
        }
        // As `statistics::repository` counts it.
        RepositoryOrder::Unique => "(SELECT coalesce(sum(b.size), 0) FROM
             (SELECT DISTINCT c.blob AS blob FROM images i JOIN image_contents c ON c.image = i.id
              WHERE i.repository = r.id AND c.role < 4) own JOIN blobs b ON b.id = own.blob
             WHERE NOT EXISTS (SELECT 1 FROM image_contents o
               WHERE o.blob = own.blob AND o.repository != r.id AND o.role < 4))"
            .to_owned(),
        RepositoryOrder::State => {
            let set = bound.bind(Value::Text(part.states.json()));
            let gone =
                "r.id IN (SELECT i.repository FROM images i WHERE i.attached_to IS NULL AND i.gone_at IS NOT NULL)";
            let outdated = "r.id IN (SELECT i.repository FROM images i JOIN blobs b ON b.id = i.manifest
                 WHERE i.attached_to IS NULL AND i.upstream_digest <> b.digest)";
            state("r.name", ["r.private AND NOT r.allowed", gone, outdated], &set, part.states.others)
        }
    }
}

/// A part of the repositories.
pub fn repositories(connection: &Connection, part: &Part<'_, RepositoryOrder>) -> Result<Rows<Repository>> {
    let (search, mut bound) = (Search::parse(part.filter), Bound::default());
    let conditions = search.of_repositories(part.states, &mut bound);
    let counted = bound.0.clone();
    let key = repository_key(part, &mut bound);
    let list = List {
        id: "r.id",
        names: "r.name, r.alias",
        from: format!("FROM repositories r{}", all_of(&conditions)),
        counted,
        order: format!("{key} {}, r.name", part.direction()),
        search: &search,
    };
    let wanted = match part.around {
        Some(name) => repositories::by_name(connection, name)?.map(|repository| repository.id),
        None => None,
    };
    part.ids(connection, &list, bound, wanted)?.try_map(|id| repositories::by_id(connection, id))
}

/// A part of the images of a scope.
pub fn images(connection: &Connection, scope: Scope, part: &Part<'_, ImageOrder>) -> Result<Rows<Image>> {
    let (search, mut bound) = (Search::parse(part.filter), Bound::default());
    let mut conditions = Vec::new();
    if let Some(repository) = scope.repository {
        conditions.push(format!("i.repository = {}", bound.bind(Value::Integer(repository))));
    }
    if !scope.attached {
        conditions.push("i.attached_to IS NULL".to_owned());
    }
    conditions.extend(search.of_images(part.states, &mut bound));
    let counted = bound.0.clone();
    let key = match part.order {
        ImageOrder::Tag if scope.repository.is_some() => "i.tag IS NULL, i.tag COLLATE numbers".to_owned(),
        ImageOrder::Tag => format!("r.name {}, i.tag IS NULL, i.tag COLLATE numbers", part.direction()),
        ImageOrder::Platforms => "i.platforms".to_owned(),
        ImageOrder::Size => "i.logical".to_owned(),
        ImageOrder::Added => "i.added_at".to_owned(),
        ImageOrder::State => {
            let set = bound.bind(Value::Text(part.states.json()));
            let outdated = "i.upstream_digest <> (SELECT b.digest FROM blobs b WHERE b.id = i.manifest)";
            let name = format!("coalesce(i.tag, {DIGEST_NAME})");
            state(&name, ["0", "i.gone_at IS NOT NULL", outdated], &set, part.states.others)
        }
    };
    let list = List {
        id: "i.id",
        names: &format!("i.tag, CASE WHEN i.tag IS NULL THEN {DIGEST_NAME} END"),
        from: format!("FROM images i JOIN repositories r ON r.id = i.repository{}", all_of(&conditions)),
        counted,
        order: format!("{key} {}, r.name, i.tag COLLATE numbers, i.id", part.direction()),
        search: &search,
    };
    let wanted = match (scope.repository, part.around) {
        (Some(repository), Some(tag)) if tag.contains(':') => match tag.parse() {
            Ok(digest) => images::by_digest(connection, repository, &digest)?.map(|image| image.id),
            Err(_) => None,
        },
        (Some(repository), Some(tag)) => images::by_tag(connection, repository, tag)?.map(|image| image.id),
        _ => None,
    };
    let Rows { total, entries, offset, place, rows: ids } = part.ids(connection, &list, bound, wanted)?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(images::by_id(connection, id)?);
    }
    Ok(Rows { total, entries, offset, place, rows })
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::super::Catalog;
    use super::*;
    use crate::image::Digest;

    /// Three repositories: `a` with many tags, `b` which shares its large blob with `c`, whose image upstream has otherwise.
    fn filled() -> (tempfile::TempDir, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        catalog
            .write(|writer| {
                let bytes = |number: i64| -> Vec<u8> { (0..32).map(|_| u8::try_from(number).unwrap()).collect() };
                for (id, size) in [(1, 10), (2, 1000), (3, 7), (4, 20), (5, 1)] {
                    writer.execute(
                        "INSERT INTO blobs (id, digest, size, cid, tsize) VALUES (?1, ?2, ?3, ?2, ?3)",
                        params![id, bytes(id), size],
                    )?;
                }
                for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
                    writer.execute("INSERT INTO repositories (id, name, tags) VALUES (?, ?, 1)", params![id, name])?;
                }
                let mut image = 0;
                let mut add = |repository: i64, tag: &str, manifest: i64, upstream: Option<i64>, parts: &[i64]| {
                    image += 1;
                    writer.execute(
                        "INSERT INTO images (id, repository, tag, manifest, selection, all_manifests, platforms, logical,
                         added_at, upstream_digest) VALUES (?, ?, ?, ?, 'all', 0, ?, 1, ?, ?)",
                        params![image, repository, tag, manifest, format!("linux/{tag}"), 100 - image, upstream.map(bytes)],
                    )?;
                    for part in parts {
                        writer.execute(
                            "INSERT INTO image_contents (image, blob, role, repository) VALUES (?, ?, 2, ?)",
                            params![image, part, repository],
                        )?;
                    }
                    Ok::<_, crate::error::Error>(())
                };
                for tag in ["1.10", "1.9", "1.1", "latest", "1.2"] {
                    add(1, tag, 1, Some(1), &[1])?;
                }
                add(2, "x", 3, None, &[2, 3])?;
                add(3, "x", 4, Some(5), &[2, 4])
            })
            .unwrap();
        (directory, catalog)
    }

    fn part<Order>(order: Order, states: &States) -> Part<'_, Order> {
        Part { filter: "", order, descending: false, states, offset: 0, limit: 100, around: None }
    }

    fn names(catalog: &Catalog, part: &Part<'_, RepositoryOrder>) -> String {
        let found = repositories(&catalog.read().unwrap(), part).unwrap();
        found.rows.iter().map(|row| row.name.as_str()).collect()
    }

    fn tags(catalog: &Catalog, part: &Part<'_, ImageOrder>) -> Vec<String> {
        let found = images(&catalog.read().unwrap(), Scope { repository: Some(1), attached: false }, part).unwrap();
        found.rows.iter().map(|row| row.tag.as_ref().unwrap().to_string()).collect()
    }

    #[test]
    fn repositories_by_what_they_alone_cost_and_by_state() {
        let (_directory, catalog) = filled();
        let none = States::default();
        assert_eq!(names(&catalog, &part(RepositoryOrder::Unique, &none)), "bac");
        assert_eq!(names(&catalog, &part(RepositoryOrder::State, &none)), "cab");
        let mut states = States { named: vec![("b".into(), RowState::New), ("b".into(), RowState::Failed)], ..none };
        assert_eq!(names(&catalog, &part(RepositoryOrder::State, &states)), "bca");
        states.named = vec![("a".into(), RowState::Changed)];
        states.others = RowState::New;
        assert_eq!(names(&catalog, &part(RepositoryOrder::State, &states)), "cab");
        catalog.write(|writer| repositories::set_visibility(writer, 3, true, false)).unwrap();
        assert_eq!(names(&catalog, &part(RepositoryOrder::State, &states)), "abc", "what is left out comes last");
        catalog.write(|writer| super::super::checked::set(writer, 6, None, 9)).unwrap();
        assert_eq!(
            names(&catalog, &part(RepositoryOrder::State, &states)),
            "bac",
            "what is gone wants to be looked at"
        );
        let turned = Part { descending: true, filter: "b", ..part(RepositoryOrder::State, &states) };
        assert_eq!(names(&catalog, &turned), "b");
        // As the figures of the screen say it.
        let reader = catalog.read().unwrap();
        let unique = |id| super::super::statistics::repository(&reader, id).unwrap().unique;
        assert_eq!([unique(2), unique(1), unique(3)], [7, 10, 20]);
    }

    #[test]
    fn tags_by_number_platform_and_state() {
        let (_directory, catalog) = filled();
        let none = States::default();
        assert_eq!(tags(&catalog, &part(ImageOrder::Tag, &none)), ["1.1", "1.2", "1.9", "1.10", "latest"]);
        assert_eq!(tags(&catalog, &part(ImageOrder::Platforms, &none)), ["1.1", "1.10", "1.2", "1.9", "latest"]);
        let states =
            States { named: vec![("1.9".into(), RowState::Changed), ("latest".into(), RowState::New)], ..none };
        let by_state = Part { limit: 3, ..part(ImageOrder::State, &states) };
        assert_eq!(tags(&catalog, &by_state), ["1.9", "latest", "1.1"]);
        let digest = Digest::of(b"not here").to_string();
        assert_eq!(tags(&catalog, &Part { around: Some(&digest), ..by_state }), ["1.9", "latest", "1.1"]);
    }

    #[test]
    fn a_row_is_found_in_any_order() {
        let (_directory, catalog) = filled();
        let none = States::default();
        let reader = catalog.read().unwrap();
        for (order, descending, place) in [
            (ImageOrder::Tag, false, 3),
            (ImageOrder::Tag, true, 1),
            (ImageOrder::Added, true, 0),
            (ImageOrder::State, false, 3),
        ] {
            let part = Part { descending, limit: 2, around: Some("1.10"), ..part(order, &none) };
            let scope = Scope { repository: Some(1), attached: false };
            let found = images(&reader, scope, &part).unwrap();
            assert_eq!((found.total, found.place), (5, Some(place)), "{order:?}");
            let at = usize::try_from(place - found.offset).unwrap();
            assert_eq!(found.rows[at].tag.as_ref().unwrap().as_str(), "1.10", "{order:?}");
            assert_eq!(found.rows.len(), 2);
        }
        let found = repositories(&reader, &Part { around: Some("c"), limit: 1, ..part(RepositoryOrder::Name, &none) });
        let found = found.unwrap();
        assert_eq!((found.place, found.offset, found.rows.len()), (Some(2), 2, 1));
    }
}
