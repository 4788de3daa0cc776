//! Answers questions from the catalog, on a thread that may wait.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::list::Span;
use super::problem::Problem;
use super::question::{Answer, Question, Shape};
use super::rule_jobs;
use crate::engine::Engine;
use crate::engine::query::browse::{Part, Rows, TreeRow};
use crate::error::{Kind, Result};

/// What the catalog says.
pub(super) fn answer(engine: &Engine, question: Question) -> Result<Answer> {
    Ok(match question {
        Question::Overview => Answer::Overview(engine.overview()?),
        Question::Repositories { shape, filter, order, descending, states, span, around } => {
            let (Span { offset, limit }, around) = (span, around.as_deref());
            let part = Part { filter: &filter, order, descending, states: &states, offset, limit, around };
            let rows = match shape {
                Shape::List => engine.browse_repositories(&part)?.try_map(|row| Ok(TreeRow::Repository(row)))?,
                Shape::Tree(folded) => engine.browse_tree(&part, &folded)?,
                Shape::Registry(registry) => {
                    return Ok(Answer::Rows(None, span, engine.registry_members(&part, &registry)?));
                }
            };
            Answer::Repositories(Span { offset: rows.offset, limit }, rows)
        }
        Question::Registries => Answer::Registries(engine.registry_totals()?),
        Question::Images { repository, filter, order, descending, states, span, around } => {
            let (Span { offset, limit }, around) = (span, around.as_deref());
            let part = Part { filter: &filter, order, descending, states: &states, offset, limit, around };
            let rows = match engine.browse_images(&repository, &part) {
                Err(gone) if gone.kind() == Kind::NotFound => Rows::default(),
                found => found?,
            };
            Answer::Images(Span { offset: rows.offset, limit }, rows)
        }
        Question::Details(image) => Answer::Details(Box::new(engine.show(&image.parse()?)?)),
        Question::Statistics => Answer::Statistics(Box::new(engine.insight()?)),
        Question::Targets => Answer::Targets(engine.targets()?, engine.history(None)?),
        Question::Difference(sides) => {
            let differs = || engine.diff(&engine.root_named(&sides.0)?, &engine.root_named(&sides.1)?);
            let differs = differs().map(Box::new).map_err(Problem::from);
            Answer::Difference(sides, differs)
        }
        Question::Comparison(sides) => {
            let compared = || engine.compare_images(&sides.0.parse()?, &sides.1.parse()?);
            let compared = compared().map(Box::new).map_err(Problem::from);
            Answer::Comparison(sides, compared)
        }
        // Answered before: they need no thread of their own.
        Question::Sight(name) => Answer::Sight(name, Err(Problem::waiting())),
        Question::Words(words) => Answer::Words(words, Vec::new()),
        Question::Find(text) => {
            let found = engine.find_anything(&text)?;
            Answer::Found(text, found)
        }
        Question::Complete(prefix) => Answer::Complete(engine.complete_reference(&prefix)?),
        Question::Standings => Answer::Standings(engine.standings()?),
        Question::Rows(list) => {
            let of = match list.as_ref() {
                Question::Images { repository, .. } => Some(repository.clone()),
                _ => None,
            };
            match answer(engine, *list)? {
                Answer::Repositories(span, Rows { rows, .. }) => {
                    let repositories = rows.iter().filter_map(TreeRow::repository);
                    let named = repositories.map(|row| (row.name.clone(), row.figures.logical));
                    Answer::Rows(None, span, named.collect())
                }
                Answer::Images(span, Rows { rows, .. }) => {
                    let rows = rows.iter().map(|row| (super::state::images::named(row), row.logical));
                    Answer::Rows(of, span, rows.collect())
                }
                other => other,
            }
        }
        Question::Tags(text, insecure) => {
            let ask = |reference| Handle::current().block_on(engine.upstream_tags(&reference, insecure));
            let tags = text.parse().and_then(ask);
            // Whose tags they are stands above.
            Answer::Tags(text, tags.map_err(|error| error.reason()))
        }
        Question::Environment => {
            Answer::Environment(super::environment::look(engine), super::environment::first_files(Path::new(".")))
        }
        Question::Rules => rule_jobs::shown(engine),
        Question::Following => Answer::Following(engine.following()?.map(Box::new), engine.serving()),
        Question::TagList(upstream, _) => Answer::TagList(upstream, Err(String::new())),
        Question::Source(source) => Answer::Source(source, Arc::default()),
        Question::Files { image, which } => Answer::Files(image, which, Err(Problem::waiting())),
    })
}
