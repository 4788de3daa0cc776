//! Repositories under the registries that they are mirrored from: a tree with two levels, and what each registry adds up to.
//!
//! How repositories are found and sorted is said in `browse`; must not know how a tree is drawn.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::browse::{self, Part, RepositoryOrder, Rows};
use super::repositories::{self, Repository};
use super::search::{Bound, Search};
use super::statistics::Figures;
use crate::error::Result;

/// A row of the tree.
#[derive(Debug, Clone)]
pub enum TreeRow<T> {
    /// A registry, above its repositories.
    Registry(Registry),
    /// A repository.
    Repository(T),
}

impl<T> TreeRow<T> {
    /// The registry, if it is one.
    pub fn registry(&self) -> Option<&Registry> {
        if let Self::Registry(registry) = self { Some(registry) } else { None }
    }

    /// The repository, if it is one.
    pub fn repository(&self) -> Option<&T> {
        if let Self::Repository(repository) = self { Some(repository) } else { None }
    }
}

/// A registry in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Host as references name it; empty: repositories that came from files.
    pub name: String,
    /// How many repositories of it were found.
    pub repositories: u64,
    /// They are not in the tree.
    pub folded: bool,
}

impl Registry {
    /// What it is called where a row is looked for: the name of no repository ends so.
    pub fn key(&self) -> String {
        format!("{}/", self.name)
    }
}

/// What all repositories of a registry add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Repositories that are mirrored from there.
    pub repositories: u64,
    /// Tags, and manifests pinned by digest.
    pub images: u64,
    /// Repositories that are private and left out of the tree.
    pub private: u64,
    /// Images that upstream had otherwise when it was asked last.
    pub outdated: u64,
    /// Images that upstream did not have any more.
    pub gone: u64,
    /// When an image was added last, in seconds since 1970.
    pub added: Option<i64>,
    /// Dedup figures in bytes; unique is what no other registry's repositories need.
    pub figures: Figures,
}

/// Repositories of one registry that were found.
#[derive(Debug)]
struct Group {
    /// What the tree is sorted by, of all of them.
    weight: i64,
    /// How well the best of them matches what is looked for.
    score: u32,
    /// Rows of the repositories, each with how well it matches.
    members: Vec<(u32, i64)>,
}

/// What is found, by registry, the repositories of each in order.
fn groups(connection: &Connection, part: &Part<'_, RepositoryOrder>) -> Result<BTreeMap<String, Group>> {
    let (search, mut bound) = (Search::parse(part.filter), Bound::default());
    let conditions = search.of_repositories(part.states, &mut bound);
    let key = browse::repository_key(part, &mut bound);
    let query = format!(
        "SELECT r.id, r.name, r.alias, coalesce(r.registry, ''), {key} AS weight FROM repositories r{}
         ORDER BY weight {}, r.name",
        browse::all_of(&conditions),
        part.direction()
    );
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(&bound.0))?;
    let (mut finder, mut groups) = (search.finder(), BTreeMap::<String, Group>::new());
    while let Some(row) = rows.next()? {
        let mut score = |column| -> Result<Option<u32>> {
            let name = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            Ok(name.and_then(|name| finder.score(name)))
        };
        let Some(score) = score(1)?.max(score(2)?) else { continue };
        // Names have no sum.
        let weight = if let ValueRef::Integer(weight) = row.get_ref(4)? { weight } else { 0 };
        let member = (score, row.get(0)?);
        match groups.get_mut(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?) {
            Some(group) => {
                group.weight = match part.order {
                    RepositoryOrder::Added => group.weight.max(weight),
                    RepositoryOrder::State => group.weight.min(weight),
                    _ => group.weight.saturating_add(weight),
                };
                group.score = group.score.max(score);
                group.members.push(member);
            }
            None => {
                groups.insert(row.get(3)?, Group { weight, score, members: vec![member] });
            }
        }
    }
    if part.is_ranked() && search.has_words() {
        for group in groups.values_mut() {
            group.members.sort_by_key(|(score, _)| Reverse(*score));
        }
    }
    Ok(groups)
}

/// Registries as the tree has them: sorted as their repositories are, by what those add up to.
fn in_order(part: &Part<'_, RepositoryOrder>, groups: BTreeMap<String, Group>) -> Vec<(String, Group)> {
    let ranked = part.is_ranked() && Search::parse(part.filter).has_words();
    let mut groups: Vec<_> = groups.into_iter().collect();
    let turned = |ordering: Ordering| if part.descending { ordering.reverse() } else { ordering };
    groups.sort_by(|(name, group), (other_name, other)| {
        // What came from files has no name and is last.
        let by_name = name.is_empty().cmp(&other_name.is_empty()).then_with(|| name.cmp(other_name));
        match part.order {
            _ if ranked => other.score.cmp(&group.score).then(by_name),
            RepositoryOrder::Name => turned(by_name),
            _ => turned(group.weight.cmp(&other.weight)).then(by_name),
        }
    });
    groups
}

/// A part of the tree. The repositories of `folded` registries are not in it, unless something is looked for, by a filter or as
/// the row that the part is around.
pub fn tree(
    connection: &Connection,
    part: &Part<'_, RepositoryOrder>,
    folded: &BTreeSet<String>,
) -> Result<Rows<TreeRow<Repository>>> {
    let wanted = match part.around {
        Some(name) => repositories::by_name(connection, name)?.map(|repository| repository.id),
        None => None,
    };
    let searches = !Search::parse(part.filter).is_empty();
    let (mut rows, mut place, mut entries) = (Vec::new(), None, 0);
    for (name, Group { members, .. }) in in_order(part, groups(connection, part)?) {
        let repositories = members.len() as u64;
        let has_wanted = members.iter().any(|(_, id)| Some(*id) == wanted);
        let folded = folded.contains(&name) && !searches && !has_wanted;
        let registry = Registry { name, repositories, folded };
        if part.around.is_some_and(|around| around == registry.key()) {
            place = Some(rows.len());
        }
        entries += repositories;
        rows.push(TreeRow::Registry(registry));
        if !folded {
            let of_wanted = members.iter().position(|(_, id)| Some(*id) == wanted);
            place = place.or(of_wanted.map(|at| rows.len() + at));
            rows.extend(members.into_iter().map(|(_, id)| TreeRow::Repository(id)));
        }
    }
    let rows = part.cut(rows, place).try_map(|row| {
        Ok(match row {
            TreeRow::Registry(registry) => TreeRow::Registry(registry),
            TreeRow::Repository(id) => TreeRow::Repository(repositories::by_id(connection, id)?),
        })
    })?;
    Ok(Rows { entries, ..rows })
}

/// Names of the repositories of one registry that are found, with the bytes of their images in full.
pub fn members(
    connection: &Connection,
    part: &Part<'_, RepositoryOrder>,
    registry: &str,
) -> Result<Vec<(String, u64)>> {
    let found = groups(connection, part)?.remove(registry).map(|group| group.members).unwrap_or_default();
    let mut statement = connection.prepare_cached(
        "SELECT r.name, (SELECT coalesce(sum(i.logical), 0) FROM images i WHERE i.repository = r.id)
         FROM repositories r WHERE r.id = ?",
    )?;
    let mut named = |id: i64| Ok(statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?);
    found.into_iter().map(|(_, id)| named(id)).collect()
}

/// What each registry adds up to, by its name. Reads what all images consist of.
pub fn totals(connection: &Connection) -> Result<BTreeMap<String, Totals>> {
    let mut totals = BTreeMap::<String, Totals>::new();
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(registry, ''), count(*), sum(private AND NOT allowed) FROM repositories GROUP BY 1",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (repositories, private) = (row.get(1)?, row.get(2)?);
        totals.insert(row.get(0)?, Totals { repositories, private, ..Totals::default() });
    }
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(r.registry, ''), sum(i.attached_to IS NULL), sum(i.logical), max(i.added_at),
           sum(i.attached_to IS NULL AND i.gone_at IS NOT NULL),
           sum(i.attached_to IS NULL AND coalesce(i.upstream_digest <> b.digest, 0))
         FROM images i JOIN repositories r ON r.id = i.repository JOIN blobs b ON b.id = i.manifest GROUP BY 1",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let of = totals.entry(row.get(0)?).or_default();
        (of.images, of.figures.logical, of.added) = (row.get(1)?, row.get(2)?, row.get(3)?);
        (of.gone, of.outdated) = (row.get(4)?, row.get(5)?);
    }
    let mut statement = connection.prepare_cached(
        "WITH needs AS MATERIALIZED (SELECT DISTINCT c.blob AS blob, coalesce(r.registry, '') AS registry
           FROM image_contents c JOIN repositories r ON r.id = c.repository WHERE c.role < 4),
         counted AS (SELECT blob, count(*) AS registries FROM needs GROUP BY blob)
         SELECT n.registry, sum(b.size), sum(CASE WHEN c.registries = 1 THEN b.size ELSE 0 END)
         FROM needs n JOIN counted c ON c.blob = n.blob JOIN blobs b ON b.id = n.blob GROUP BY n.registry",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let of = totals.entry(row.get(0)?).or_default();
        (of.figures.stored, of.figures.unique) = (row.get(1)?, row.get(2)?);
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::super::Catalog;
    use super::super::browse::States;
    use super::*;

    /// `alpha` of docker.io, `beta` and `gamma` of ghcr.io, `delta` from a file. Blob 9 is everywhere but at docker.io.
    fn filled() -> (tempfile::TempDir, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("catalog.db")).unwrap();
        let rows = [
            (1, "alpha", Some("docker.io"), 100),
            (2, "ghcr.io/beta", Some("ghcr.io"), 10),
            (3, "ghcr.io/gamma", Some("ghcr.io"), 30),
            (4, "delta", None, 500),
        ];
        let bytes = |number: i64| vec![u8::try_from(number).unwrap(); 32];
        catalog
            .write(|writer| {
                let blob = "INSERT INTO blobs (id, digest, size, cid, tsize) VALUES (?1, ?2, ?3, ?2, ?3)";
                writer.execute(blob, params![9, bytes(9), 1000])?;
                for (id, name, registry, size) in rows {
                    writer.execute(blob, params![id, bytes(id), size])?;
                    writer.execute(
                        "INSERT INTO repositories (id, name, registry, upstream, tags) VALUES (?, ?, ?, ?, 1)",
                        params![id, name, registry, registry.map(|_| name)],
                    )?;
                    writer.execute(
                        "INSERT INTO images (id, repository, tag, manifest, selection, all_manifests, platforms, logical,
                         added_at, upstream_digest) VALUES (?1, ?1, '1', ?1, 'all', 0, 'linux/amd64', ?2, 50 - ?1, ?3)",
                        params![id, size, (id == 3).then(|| bytes(8))],
                    )?;
                    for part in [id, 9].into_iter().take(if id == 1 { 1 } else { 2 }) {
                        writer.execute(
                            "INSERT INTO image_contents (image, blob, role, repository) VALUES (?1, ?2, 2, ?1)",
                            params![id, part],
                        )?;
                    }
                }
                Ok::<_, crate::error::Error>(())
            })
            .unwrap();
        (directory, catalog)
    }

    static NONE: States = States { named: Vec::new(), others: browse::RowState::Settled };

    fn by(order: RepositoryOrder, filter: &str) -> Part<'_, RepositoryOrder> {
        Part { filter, order, descending: false, states: &NONE, offset: 0, limit: 100, around: None }
    }

    /// The tree in a line: registries end in a slash, and folded ones in two.
    fn line(catalog: &Catalog, part: &Part<'_, RepositoryOrder>, folded: &[&str]) -> String {
        let folded = folded.iter().map(|name| (*name).to_owned()).collect();
        let rows = tree(&catalog.read().unwrap(), part, &folded).unwrap().rows;
        let text = |row: &TreeRow<Repository>| match row {
            TreeRow::Registry(registry) => format!("{}{}", registry.key(), if registry.folded { "/" } else { "" }),
            TreeRow::Repository(repository) => repository.name.as_str().replace("ghcr.io/", ""),
        };
        rows.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn registries_are_sorted_as_their_repositories_are() {
        let (_directory, catalog) = filled();
        let usual = by(RepositoryOrder::Name, "");
        assert_eq!(line(&catalog, &usual, &[]), "docker.io/ alpha ghcr.io/ beta gamma / delta");
        let turned = Part { descending: true, ..usual };
        assert_eq!(line(&catalog, &turned, &[]), "/ delta ghcr.io/ gamma beta docker.io/ alpha");
        let largest = Part { descending: true, ..by(RepositoryOrder::Size, "") };
        assert_eq!(line(&catalog, &largest, &[]), "/ delta docker.io/ alpha ghcr.io/ gamma beta");
        let newest = Part { descending: true, ..by(RepositoryOrder::Added, "") };
        assert_eq!(line(&catalog, &newest, &[]), "docker.io/ alpha ghcr.io/ beta gamma / delta");
        let attention = by(RepositoryOrder::State, "");
        assert_eq!(line(&catalog, &attention, &[]), "ghcr.io/ gamma beta docker.io/ alpha / delta");
    }

    #[test]
    fn folded_registries_open_for_what_is_looked_for() {
        let (_directory, catalog) = filled();
        let usual = by(RepositoryOrder::Name, "");
        let all = ["docker.io", "ghcr.io", ""];
        assert_eq!(line(&catalog, &usual, &all), "docker.io// ghcr.io// //");
        assert_eq!(line(&catalog, &by(RepositoryOrder::Name, "gam"), &all), "ghcr.io/ gamma");
        assert_eq!(line(&catalog, &by(RepositoryOrder::Name, ":outdated"), &all), "ghcr.io/ gamma");
        assert_eq!(line(&catalog, &by(RepositoryOrder::Name, "nosuch"), &all), "");
        let around = Part { around: Some("ghcr.io/gamma"), ..usual };
        assert_eq!(line(&catalog, &around, &all), "docker.io// ghcr.io/ beta gamma //");
        let reader = catalog.read().unwrap();
        let folded: BTreeSet<String> = all.map(str::to_owned).into();
        let found = tree(&reader, &around, &folded).unwrap();
        assert_eq!((found.total, found.entries, found.place), (5, 4, Some(3)));
        let head = tree(&reader, &Part { around: Some("ghcr.io/"), limit: 1, ..usual }, &folded).unwrap();
        assert_eq!((head.total, head.place, head.offset, head.rows.len()), (3, Some(1), 1, 1));
        let last = tree(&reader, &Part { offset: 2, limit: 1, ..usual }, &folded).unwrap();
        assert_eq!((last.offset, last.rows[0].registry().unwrap().repositories), (2, 1));
    }

    #[test]
    fn totals_are_those_of_all_repositories_of_a_registry() {
        let (_directory, catalog) = filled();
        let reader = catalog.read().unwrap();
        let all = totals(&reader).unwrap();
        let of = |name: &str| {
            let Totals { repositories, images, outdated, figures, added, .. } = all[name];
            (repositories, images, outdated, added, [figures.logical, figures.stored, figures.unique])
        };
        assert_eq!(of("docker.io"), (1, 1, 0, Some(49), [100, 100, 100]));
        assert_eq!(of("ghcr.io"), (2, 2, 1, Some(48), [40, 1040, 40]));
        assert_eq!(of(""), (1, 1, 0, Some(46), [500, 1500, 500]));
        let found = members(&reader, &by(RepositoryOrder::Size, ""), "ghcr.io").unwrap();
        assert_eq!(found, [("ghcr.io/beta".to_owned(), 10), ("ghcr.io/gamma".to_owned(), 30)]);
        assert_eq!(members(&reader, &by(RepositoryOrder::Size, ""), "quay.io").unwrap(), []);
    }
}
