//! The pages for people and the records for programs, kept up to date: only those that a change touches are made again.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::generated::{Edits, generated};
use super::tag_rows::{description, needed_rows, tag_record, tag_row};
use super::touched::{Touched, TouchedRepository};
use crate::catalog::details::{self, Details, PageName};
use crate::catalog::images::{self, Image};
use crate::catalog::pages::{self, Page, REPOSITORIES};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::settings::Settings;
use crate::catalog::{Writer, blobs};
use crate::error::{Error, Kind, Result};
use crate::image::natural;
use crate::site::records::{self, RepositoryRecord, TagRecord, TagsRecord};
use crate::site::{
    File, Head, IndexRow, Listing, Neighbours, PageLink, RepositoryRow, TagRow, Totals, index_page, order, paging,
    paths, repositories_page, repository_page, style, tags_page,
};

/// The tag that clients ask for where none is named.
const LATEST: &str = "latest";

/// Makes again what is touched, and puts it into the edits of the tree.
pub(in crate::engine) fn update(
    writer: &Writer<'_>,
    settings: &Settings,
    touched: &Touched,
    fresh: bool,
    edits: &mut Edits,
) -> Result<()> {
    let mut pen = Pen {
        writer,
        settings,
        head: Head {
            name: settings.name.clone(),
            description: settings.description.clone(),
            site_version: settings.site_version,
        },
        edits,
    };
    if fresh || touched.everything {
        let bytes = style(settings.site_version).as_bytes().to_vec();
        pen.write(File { path: paths::STYLE_CSS.to_owned(), bytes })?;
    }
    let mut rows = BTreeSet::new();
    let mut names_changed = fresh;
    for gone in &touched.removed {
        if gone.repository.is_published() {
            names_changed = true;
            rows.insert(gone.repository.name.to_string());
            pen.erase(&gone.repository, &gone.pages);
        }
    }
    for (id, of_it) in &touched.repositories {
        let repository = repositories::by_id(writer, *id)?;
        let changed = show_again(writer, settings, *id)?;
        if !repository.is_published() {
            if of_it.was_published {
                names_changed = true;
                rows.insert(repository.name.to_string());
                pen.erase(&repository, &pages::of(writer, *id)?);
            }
            // It comes back with all its pages.
            pages::set(writer, *id, &[])?;
            continue;
        }
        let whole = of_it.whole || !of_it.was_published;
        names_changed |= whole;
        pen.repository(&repository, of_it, whole, changed.description)?;
        if changed.row || whole {
            rows.insert(repository.name.to_string());
        }
    }
    if touched.everything {
        for repository in repositories::list(writer, None, None)? {
            show_again(writer, settings, repository.id)?;
            if repository.is_published() {
                pen.repository(&repository, &TouchedRepository::default(), true, false)?;
            }
        }
    }
    pen.list(&rows, names_changed || touched.front, touched.everything || fresh)
}

/// What changed of what is shown of a repository.
struct Changed {
    row: bool,
    description: bool,
}

/// Finds again what is shown of a repository.
fn show_again(writer: &Writer<'_>, settings: &Settings, repository: i64) -> Result<Changed> {
    let counted = repositories::count_shown(writer, repository)?;
    if settings.site_version < 2 {
        return Ok(Changed { row: counted, description: false });
    }
    let said = match newest_image(writer, repository)? {
        None => None,
        Some(image) => match details::of(writer, repository, &[image.id])?.remove(&image.id) {
            Some(details) => description(writer, &image, &details)?,
            None => None,
        },
    };
    let description = repositories::set_description(writer, repository, said.as_deref())?;
    Ok(Changed { row: counted || description, description })
}

/// The image of `latest`, else of the newest tag.
fn newest_image(writer: &Writer<'_>, repository: i64) -> Result<Option<Image>> {
    if let Some(image) = images::by_tag(writer, repository, LATEST)? {
        return Ok(Some(image));
    }
    match repositories::newest(writer, repository)? {
        Some(tag) => images::by_tag(writer, repository, tag.as_str()),
        None => Ok(None),
    }
}

struct Pen<'a> {
    writer: &'a Writer<'a>,
    settings: &'a Settings,
    head: Head,
    edits: &'a mut Edits,
}

impl Pen<'_> {
    fn write(&mut self, file: File) -> Result<()> {
        let link = generated(self.writer, self.settings, &file.bytes)?;
        self.edits.insert(file.path, Some(link));
        Ok(())
    }

    fn erase_tags(&mut self, repository: &Repository, page: &Page) {
        self.edits.insert(paths::tags_page(&repository.name, &page.key), None);
        self.edits.insert(paths::tags_record(&repository.name, &page.key), None);
    }

    fn erase(&mut self, repository: &Repository, pages: &[Page]) {
        self.edits.insert(paths::repository_page(&repository.name), None);
        self.edits.insert(paths::repository_record(&repository.name), None);
        for page in pages {
            self.erase_tags(repository, page);
        }
    }

    /// The pages of one repository.
    fn repository(
        &mut self,
        repository: &Repository,
        touched: &TouchedRepository,
        whole: bool,
        described_anew: bool,
    ) -> Result<()> {
        let mut names = touched.page_names.clone();
        for subject in &touched.subjects {
            if let Some(blob) = blobs::by_digest(self.writer, subject)? {
                for image in images::consisting_of(self.writer, repository.id, blob.id)? {
                    names.entry(images::page_name(&image)).or_insert(image.page_rows);
                }
            }
        }
        // Who comes first has a name that several want; the others' rows say that they don't.
        for name in &touched.gateway_tags {
            for image in images::wanting(self.writer, repository.id, name)? {
                names.entry(images::page_name(&image)).or_insert(image.page_rows);
            }
        }
        let mut old = pages::of(self.writer, repository.id)?;
        let order = order(self.settings.site_version);
        old.sort_by(|one, other| order(&one.first, &other.first));
        // The set of names is another, or one of them needs another number of rows: pages may be cut elsewhere.
        let mut cut_again = whole;
        for (name, before) in &names {
            let rows = match details::named(self.writer, repository.id, name)? {
                None => 0,
                Some(image) => {
                    let id = image.id;
                    let found = self.details(repository, vec![image])?.pop();
                    let rows = match found {
                        Some((image, details)) => needed_rows(self.writer, &image, &details)? as u64,
                        None => 0,
                    };
                    details::set_page_rows(self.writer, id, rows)?;
                    rows
                }
            };
            cut_again |= rows != *before;
        }
        let mut touched_names: BTreeSet<String> = names.into_keys().collect();
        // What they are the same as is said on the rows of others, those without a tag among them.
        for manifest in &touched.manifests {
            touched_names.insert(blobs::by_id(self.writer, *manifest)?.digest.to_string());
            touched_names.extend(details::tags_of_manifest(self.writer, repository.id, *manifest)?);
        }
        let mut touched_names: Vec<String> = touched_names.into_iter().collect();
        touched_names.sort_by(|one, other| order(one, other));
        let list = details::page_names(self.writer, repository.id, order)?;
        let new = if cut_again {
            let list: Vec<(&str, usize)> = list.iter().map(|name| (name.name.as_str(), name.rows)).collect();
            cut(&list)
        } else {
            old.clone()
        };
        for page in &old {
            if !new.iter().any(|kept| kept.key == page.key) {
                self.erase_tags(repository, page);
            }
        }
        let row = repository_row(self.writer, self.head.site_version, repository, &list)?;
        let mut front = None;
        for (position, page) in new.iter().enumerate() {
            let is_touched = !within(&touched_names, order, page, String::as_str).is_empty();
            let neighbours = neighbours_of(&new, position);
            let before = old.iter().position(|other| other == page).map(|before| neighbours_of(&old, before));
            if whole || is_touched || before.as_ref() != Some(&neighbours) {
                let names = within(&list, order, page, |name| name.name.as_str());
                let (rows, records) = self.rows(repository, names)?;
                self.write(tags_page(&self.head, &row, &page.key, &neighbours, &rows))?;
                self.write(records::tags_record(&repository.name, &page.key, &TagsRecord { tags: records }))?;
                if position == 0 {
                    front = Some(rows);
                }
            }
        }
        if new.is_empty() || cut_again || new != old || front.is_some() || described_anew {
            let links = links(&new, |page| within(&list, order, page, |name| name.name.as_str()).len());
            let (mut tags, mut first) = (Vec::new(), front);
            if new.is_empty() {
                let (rows, records) = self.rows(repository, &list)?;
                (tags, first) = (records, Some(rows));
            }
            let first = match (first, new.first()) {
                (None, Some(page)) => self.rows(repository, within(&list, order, page, |name| name.name.as_str()))?.0,
                (first, _) => first.unwrap_or_default(),
            };
            self.write(repository_page(&self.head.clone(), &row, &first, &links))?;
            self.write(records::repository_record(&RepositoryRecord {
                name: repository.name.clone(),
                alias: repository.alias.clone(),
                upstream: repository.upstream.clone(),
                insecure: repository.transport.recorded(),
                private: repository.private,
                tags,
                parts: records::tag_parts(&links),
            }))?;
        }
        if new != old { pages::set(self.writer, repository.id, &new) } else { Ok(()) }
    }

    /// The list of repositories: the index page and the catalog's own record.
    fn list(&mut self, touched: &BTreeSet<String>, names_changed: bool, everything: bool) -> Result<()> {
        if touched.is_empty() && !names_changed && !everything {
            return Ok(());
        }
        let old = pages::of(self.writer, REPOSITORIES)?;
        let new = if names_changed {
            let names = repositories::published_names(self.writer)?;
            let list: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
            cut(&list)
        } else {
            old.clone()
        };
        for page in &old {
            if !new.iter().any(|kept| kept.key == page.key) {
                self.edits.insert(paths::repositories_page(&page.key), None);
                self.edits.insert(paths::repositories_record(&page.key), None);
            }
        }
        let row = |shown: repositories::Shown| IndexRow {
            name: shown.name,
            alias: shown.alias,
            tags: shown.tags,
            platforms: shown.platforms,
            registry: shown.registry,
            newest: shown.newest,
            size: shown.size,
            description: shown.description,
        };
        for page in &new {
            let hit = touched.range(page.first.clone()..=page.last.clone()).next().is_some();
            if everything || hit || !old.contains(page) {
                let shown = repositories::shown_between(self.writer, &page.first, Some(&page.last))?;
                self.write(records::repositories_record(&page.key, shown.iter().map(|shown| &shown.name)))?;
                let rows: Vec<IndexRow> = shown.into_iter().map(row).collect();
                self.write(repositories_page(&self.head, &page.key, &rows))?;
            }
        }
        let names = if new.is_empty() { Vec::new() } else { repositories::published_names(self.writer)? };
        let links = links(&new, |page| {
            let end = names.partition_point(|name| *name <= page.last);
            end - names.partition_point(|name| *name < page.first)
        });
        let totals = repositories::shown_totals(self.writer)?;
        let totals = Totals { repositories: totals.repositories, tags: totals.tags, size: totals.size };
        if new.is_empty() {
            let shown = repositories::shown_between(self.writer, "", None)?;
            // The record of a list that fits one page has the same shape: one part.
            self.write(records::repositories_record(&paging::key(None), shown.iter().map(|shown| &shown.name)))?;
            let rows: Vec<IndexRow> = shown.into_iter().map(row).collect();
            let only = PageLink {
                key: paging::key(None),
                first: rows.first().map(|row| row.name.to_string()).unwrap_or_default(),
                last: rows.last().map(|row| row.name.to_string()).unwrap_or_default(),
                count: rows.len() as u64,
            };
            self.write(index_page(&self.head.clone(), &totals, &Listing::Rows(&rows)))?;
            self.write(records::catalog_record(self.settings.profile.name(), &self.head, &[only]))?;
        } else {
            self.write(index_page(&self.head.clone(), &totals, &Listing::Pages(&links)))?;
            self.write(records::catalog_record(self.settings.profile.name(), &self.head, &links))?;
        }
        if new != old { pages::set(self.writer, REPOSITORIES, &new) } else { Ok(()) }
    }

    /// Rows and records of these names on a page.
    fn rows(&self, repository: &Repository, names: &[PageName]) -> Result<(Vec<TagRow>, Vec<TagRecord>)> {
        let ids: Vec<i64> = names.iter().map(|name| name.image).collect();
        let images = details::images_of(self.writer, repository.id, &ids)?;
        let mut rows = Vec::with_capacity(images.len());
        let mut records = Vec::with_capacity(images.len());
        let mut tags_of: HashMap<i64, Vec<String>> = HashMap::new();
        for (image, details) in self.details(repository, images)? {
            let same = match tags_of.entry(image.manifest) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(details::tags_of_manifest(self.writer, repository.id, image.manifest)?)
                }
            };
            records.push(tag_record(self.settings, &image, &details));
            rows.push(tag_row(self.writer, &image, details, same)?);
        }
        Ok((rows, records))
    }

    /// These images in their order, with what is shown of them.
    fn details(&self, repository: &Repository, images: Vec<Image>) -> Result<Vec<(Image, Details)>> {
        let ids: Vec<i64> = images.iter().map(|image| image.id).collect();
        let mut all = details::of(self.writer, repository.id, &ids)?;
        let with_details = |image: Image| match all.remove(&image.id) {
            Some(details) => Ok((image, details)),
            None => Err(Error::new(Kind::Verification, format!("the manifest {} is not in the catalog", image.digest))),
        };
        images.into_iter().map(with_details).collect()
    }
}

fn repository_row(
    writer: &Writer<'_>,
    site_version: u32,
    repository: &Repository,
    list: &[PageName],
) -> Result<RepositoryRow> {
    let tags = || list.iter().map(|name| name.name.as_str()).filter(|name| !name.contains(':'));
    let newest = natural::newest(tags());
    let last = if site_version < 2 { images::last_tag(writer, repository.id)? } else { newest.map(str::to_owned) };
    let has_latest = images::by_tag(writer, repository.id, LATEST)?.is_some();
    let example = if has_latest { Some("latest".to_owned()) } else { last };
    let parsed = |tag: Option<&str>| tag.map(str::parse).transpose();
    Ok(RepositoryRow {
        name: repository.name.clone(),
        alias: repository.alias.clone(),
        upstream: repository.upstream.as_ref().map(ToString::to_string),
        private: repository.private,
        tags: tags().count() as u64,
        newest: parsed(newest)?,
        description: repositories::description(writer, repository.id)?,
        example: parsed(example.as_deref())?,
    })
}

/// Cuts a list into pages; none if it fits one.
fn cut(list: &[(&str, usize)]) -> Vec<Page> {
    let spans = paging::pages(list);
    if spans.len() < 2 {
        return Vec::new();
    }
    let page = |span: paging::Span| Page {
        first: list[span.names.start].0.to_owned(),
        last: list[span.names.end - 1].0.to_owned(),
        key: span.key,
    };
    spans.into_iter().map(page).collect()
}

type Order = fn(&str, &str) -> Ordering;

/// What of a list in the order of pages is on this one.
fn within<'a, T>(list: &'a [T], order: Order, page: &Page, name: impl Fn(&T) -> &str) -> &'a [T] {
    let start = list.partition_point(|item| order(name(item), &page.first).is_lt());
    let end = list.partition_point(|item| order(name(item), &page.last).is_le());
    list.get(start..end).unwrap_or_default()
}

/// The pages before and after the one at this position.
fn neighbours_of(pages: &[Page], position: usize) -> Neighbours {
    let key = |position: usize| pages.get(position).map(|page| page.key.clone());
    Neighbours { newer: position.checked_sub(1).and_then(key), older: key(position + 1) }
}

fn links(pages: &[Page], count: impl Fn(&Page) -> usize) -> Vec<PageLink> {
    let link = |page: &Page| PageLink {
        key: page.key.clone(),
        first: page.first.clone(),
        last: page.last.clone(),
        count: count(page) as u64,
    };
    pages.iter().map(link).collect()
}
