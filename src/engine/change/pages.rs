//! The pages for people and the records for programs, kept up to date: only those that a change touches are made again.

use std::collections::BTreeSet;

use super::generated::{Edits, generated};
use super::touched::{Touched, TouchedRepository};
use crate::catalog::details::{self, AttachedDetails, Details};
use crate::catalog::images::{self, Image};
use crate::catalog::pages::{self, Page, REPOSITORIES};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::settings::Settings;
use crate::catalog::{Writer, blobs};
use crate::error::{Error, Kind, Result};
use crate::image::{Body, Manifest};
use crate::site::records::{self, CompanionRecord, ReferrerRecord, RepositoryRecord, TagRecord, TagsRecord};
use crate::site::{
    File, Gateway, Head, IndexRow, Listing, PageLink, PlatformRow, ReferrerRow, RepositoryRow, STYLE, TagRow,
    index_page, paging, paths, repositories_page, repository_page, tags_page,
};

/// Makes again what is touched, and puts it into the edits of the tree.
pub(in crate::engine) fn update(
    writer: &Writer<'_>,
    settings: &Settings,
    touched: &Touched,
    fresh: bool,
    edits: &mut Edits,
) -> Result<()> {
    let mut pen = Pen { writer, settings, head: Head { name: settings.name.clone() }, edits };
    if fresh {
        pen.write(File { path: paths::STYLE_CSS.to_owned(), bytes: STYLE.as_bytes().to_vec() })?;
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
        let row_changed = repositories::count_shown(writer, *id)?;
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
        pen.repository(&repository, of_it, whole)?;
        if row_changed || whole {
            rows.insert(repository.name.to_string());
        }
    }
    if touched.everything {
        for repository in repositories::list(writer, None, None)? {
            if repository.is_published() {
                pen.repository(&repository, &TouchedRepository::default(), true)?;
            }
        }
    }
    pen.list(&rows, names_changed, touched.everything || fresh)
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
    fn repository(&mut self, repository: &Repository, touched: &TouchedRepository, whole: bool) -> Result<()> {
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
        let old = pages::of(self.writer, repository.id)?;
        // The set of names is another, or one of them needs another number of rows: pages may be cut elsewhere.
        let mut cut_again = whole;
        for (name, before) in &names {
            let found = self.details(repository, name, Some(name))?.pop();
            let rows = match found {
                None => 0,
                Some((image, details)) => {
                    let rows = self.tag_row(&image, details)?.rows() as u64;
                    if rows != image.page_rows {
                        details::set_page_rows(self.writer, image.id, rows)?;
                    }
                    rows
                }
            };
            cut_again |= rows != *before;
        }
        let new = if cut_again {
            let list = details::page_names(self.writer, repository.id)?;
            let list: Vec<(&str, usize)> = list.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
            cut(&list)
        } else {
            old.clone()
        };
        for page in &old {
            if !new.iter().any(|kept| kept.key == page.key) {
                self.erase_tags(repository, page);
            }
        }
        for page in &new {
            let touched = names.range(page.first.clone()..=page.last.clone()).next().is_some();
            if whole || touched || !old.contains(page) {
                let (rows, records) = self.rows(repository, &page.first, Some(&page.last))?;
                self.write(tags_page(&repository_row(self.writer, repository)?, &page.key, &rows))?;
                self.write(records::tags_record(&repository.name, &page.key, &TagsRecord { tags: records }))?;
            }
        }
        if new.is_empty() || cut_again || new != old {
            let links = links(&new);
            let (rows, tags) = if new.is_empty() { self.rows(repository, "", None)? } else { (Vec::new(), Vec::new()) };
            let listing = if new.is_empty() { Listing::Rows(&rows) } else { Listing::Pages(&links) };
            self.write(repository_page(&self.head.clone(), &repository_row(self.writer, repository)?, &listing))?;
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
        };
        for page in &new {
            let hit = touched.range(page.first.clone()..=page.last.clone()).next().is_some();
            if everything || hit || !old.contains(page) {
                let shown = repositories::shown_between(self.writer, &page.first, Some(&page.last))?;
                self.write(records::repositories_record(&page.key, shown.iter().map(|shown| &shown.name)))?;
                let rows: Vec<IndexRow> = shown.into_iter().map(row).collect();
                self.write(repositories_page(&page.key, &rows))?;
            }
        }
        let links = links(&new);
        if new.is_empty() {
            let shown = repositories::shown_between(self.writer, "", None)?;
            // The record of a list that fits one page has the same shape: one part.
            self.write(records::repositories_record(&paging::key(None), shown.iter().map(|shown| &shown.name)))?;
            let rows: Vec<IndexRow> = shown.into_iter().map(row).collect();
            let only = PageLink {
                key: paging::key(None),
                first: rows.first().map(|row| row.name.to_string()).unwrap_or_default(),
                last: rows.last().map(|row| row.name.to_string()).unwrap_or_default(),
            };
            self.write(index_page(&self.head.clone(), &Listing::Rows(&rows)))?;
            self.write(records::catalog_record(self.settings.profile.name(), self.settings.name.as_deref(), &[only]))?;
        } else {
            self.write(index_page(&self.head.clone(), &Listing::Pages(&links)))?;
            self.write(records::catalog_record(self.settings.profile.name(), self.settings.name.as_deref(), &links))?;
        }
        if new != old { pages::set(self.writer, REPOSITORIES, &new) } else { Ok(()) }
    }

    fn rows(&self, repository: &Repository, first: &str, last: Option<&str>) -> Result<(Vec<TagRow>, Vec<TagRecord>)> {
        let mut rows = Vec::new();
        let mut records = Vec::new();
        for (image, details) in self.details(repository, first, last)? {
            records.push(self.tag_record(&image, &details));
            rows.push(self.tag_row(&image, details)?);
        }
        Ok((rows, records))
    }

    /// The images from this name to that one in order, both included, with what is shown of them.
    fn details(&self, repository: &Repository, first: &str, last: Option<&str>) -> Result<Vec<(Image, Details)>> {
        let images = details::on_page(self.writer, repository.id, first, last)?;
        let ids: Vec<i64> = images.iter().map(|image| image.id).collect();
        let mut all = details::of(self.writer, repository.id, &ids)?;
        let with_details = |image: Image| match all.remove(&image.id) {
            Some(details) => Ok((image, details)),
            None => Err(Error::new(Kind::Verification, format!("the manifest {} is not in the catalog", image.digest))),
        };
        images.into_iter().map(with_details).collect()
    }

    fn tag_row(&self, image: &Image, details: Details) -> Result<TagRow> {
        let writer = self.writer;
        let mut platforms = Vec::with_capacity(details.platforms.len());
        for shown in details.platforms {
            platforms.push(PlatformRow {
                platform: shown.platform,
                digest: shown.digest,
                cid: shown.cid.to_string(),
                size: shown.size,
                gateway: gateway(shown.name, shown.reason, shown.has_its_name)?,
            });
        }
        let mut referrers: Vec<ReferrerRow> = Vec::new();
        for referrer in details.referrers {
            referrers.push(ReferrerRow {
                kind: referrer.artifact_type.unwrap_or_else(|| "artifact".to_owned()),
                digest: referrer.digest,
                cid: referrer.cid.to_string(),
                tag: None,
            });
        }
        for attached in details.attached {
            let Some(tag) = attached.tag else { continue };
            let kind = match tag.as_str().rsplit_once('.') {
                Some((_, "sig")) => "signature",
                Some((_, "att")) => "attestation",
                Some((_, "sbom")) => "SBOM",
                _ => "artifact",
            };
            referrers.push(ReferrerRow {
                kind: kind.to_owned(),
                digest: attached.digest,
                cid: attached.cid.to_string(),
                tag: Some(tag),
            });
        }
        if crate::image::media::is_index(&details.media_type) {
            let index = Manifest::parse(&blobs::bytes(writer, image.manifest)?, Some(&details.media_type))?;
            let Body::Index { manifests } = &index.body else {
                return Err(Error::new(Kind::Verification, format!("{} is not an index", image.digest)));
            };
            // Those that came with this image: what others hold changes without its row.
            for entry in manifests.iter().filter(|entry| entry.attests().is_some()) {
                if let Some(cid) = details.manifests.get(&entry.digest) {
                    referrers.push(ReferrerRow {
                        kind: "attestation of the build".to_owned(),
                        digest: entry.digest,
                        cid: cid.to_string(),
                        tag: None,
                    });
                }
            }
        }
        referrers.sort_by_cached_key(|row| (row.digest, row.tag.clone()));
        referrers.dedup();
        let artifact_type = if platforms.is_empty() { details.artifact_type } else { None };
        Ok(TagRow {
            tag: image.tag.clone(),
            digest: image.digest,
            media_type: details.media_type,
            cid: details.cid.to_string(),
            artifact_type,
            platforms,
            left_out: details.left_out.into_iter().collect(),
            referrers,
        })
    }

    fn tag_record(&self, image: &Image, details: &Details) -> TagRecord {
        let mut companions = BTreeSet::new();
        let mut referrers = BTreeSet::new();
        for attached in &details.attached {
            let AttachedDetails { subject, tag, digest, media_type, .. } = attached.clone();
            match tag {
                Some(tag) => {
                    companions.insert(CompanionRecord { tag, digest, media_type });
                }
                None => {
                    referrers.insert(ReferrerRecord { subject, digest, media_type });
                }
            }
        }
        TagRecord {
            tag: image.tag.clone(),
            digest: image.digest,
            media_type: details.media_type.clone(),
            upstream_tag: image.follows.upstream_tag().map(str::to_owned),
            selection: image.selection.clone(),
            all_manifests: image.all_manifests,
            default_platform: Some(self.settings.default_platform.clone()),
            companions,
            referrers,
        }
    }
}

fn gateway(name: Option<String>, reason: Option<String>, has_its_name: bool) -> Result<Gateway> {
    Ok(match (name, reason) {
        (_, Some(reason)) => Gateway::Absent(reason),
        (Some(name), None) if !has_its_name => {
            Gateway::Absent(format!("it is there by digest only, since `{name}` is another image"))
        }
        (Some(name), None) => Gateway::Tag(name.parse()?),
        (None, None) => Gateway::Absent("it is there by digest only".to_owned()),
    })
}

fn repository_row(writer: &Writer<'_>, repository: &Repository) -> Result<RepositoryRow> {
    let example = match images::by_tag(writer, repository.id, "latest")? {
        Some(image) => image.tag,
        None => images::last_tag(writer, repository.id)?.map(|tag| tag.parse()).transpose()?,
    };
    Ok(RepositoryRow {
        name: repository.name.clone(),
        alias: repository.alias.clone(),
        upstream: repository.upstream.as_ref().map(ToString::to_string),
        private: repository.private,
        example,
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

fn links(pages: &[Page]) -> Vec<PageLink> {
    let link = |page: &Page| PageLink { key: page.key.clone(), first: page.first.clone(), last: page.last.clone() };
    pages.iter().map(link).collect()
}
