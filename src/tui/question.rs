//! What the interface asks of the engine, and the answers. Questions only read, and run on a thread of their own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::comparing::Images;
use super::completing::Suggestion;
use super::list::Span;
use super::problem::Problem;
use super::state::publish::Sides;
use crate::engine::follow::Following;
use crate::engine::own_node::Serving;
use crate::engine::query::browse::{ImageOrder, Insight, Overview, RepositoryOrder, Rows, States, Totals, TreeRow};
use crate::engine::query::comparison::ImageDifference;
use crate::engine::query::diff::Difference;
use crate::engine::query::files::{ImageFiles, Which};
use crate::engine::query::history::PublicationView;
use crate::engine::query::jump::Hit;
use crate::engine::query::standing::TargetStanding;
use crate::engine::query::view::{ImageDetails, ImageRow, RepositoryRow};
use crate::engine::rules::{Here, NamedImages, ShownRules, TagList};
use crate::engine::targets::{Sight, TargetView};
use crate::image::Upstream;
use crate::rules::Source;

/// A question to the engine, answered by [`Answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The registry in a line.
    Overview,
    /// A part of the repositories.
    Repositories {
        /// One list, or the repositories under their registries.
        shape: Shape,
        /// What is looked for, as [`Search`](crate::engine::query::browse::Search) reads it.
        filter: String,
        /// Column that the rows are sorted by.
        order: RepositoryOrder,
        /// The order turned around.
        descending: bool,
        /// Where states are sorted by or looked for: what is known of them.
        states: States,
        /// Rows that are asked for.
        span: Span,
        /// A row that is looked for: the part is then where that is.
        around: Option<String>,
    },
    /// A part of a repository's images.
    Images {
        /// Published name of the repository.
        repository: String,
        /// What is looked for, likewise.
        filter: String,
        /// Column that the rows are sorted by.
        order: ImageOrder,
        /// The order turned around.
        descending: bool,
        /// Where states are sorted by or looked for: what is known of them.
        states: States,
        /// Rows that are asked for.
        span: Span,
        /// A row that is looked for: the part is then where that is.
        around: Option<String>,
    },
    /// What each registry adds up to.
    Registries,
    /// Everything about an image: `name:tag` or `name@digest`.
    Details(String),
    /// The registry in figures.
    Statistics,
    /// Anything in the catalog that matches this text.
    Find(String),
    /// References that the catalog mirrors from and that begin like this.
    Complete(String),
    /// What the last of these words of the command line can become.
    Words(Vec<String>),
    /// Targets and what was published, as the catalog knows them.
    Targets,
    /// How a target looks from outside.
    Sight(String),
    /// What differs between two roots.
    Difference(Sides),
    /// What differs between two images.
    Comparison(Images),
    /// How the catalog stands to what the targets give out.
    Standings,
    /// Rows of a list by name and with their bytes, to mark them: those of this question, which is for a list.
    Rows(Box<Question>),
    /// The tags that upstream has of this reference's repository; by plain HTTP, by TLS, or as is known of its registry.
    Tags(String, Option<bool>),
    /// What a first run should know of this machine.
    Environment,
    /// The rules, and what came of them.
    Rules,
    /// All tags of a repository; by plain HTTP, by TLS, or as is known of its registry.
    TagList(Upstream, Option<bool>),
    /// What a source names now.
    Source(Source),
    /// Whom the catalog follows, and who gives out what it holds.
    Following,
    /// The files of an image.
    Files {
        /// `name:tag` or `name@digest`.
        image: String,
        /// Which of its platforms.
        which: Which,
    },
}

/// Which repositories, and how they are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// All of them as one list.
    List,
    /// Under their registries, of which these are folded.
    Tree(BTreeSet<String>),
    /// Those of one registry as a list.
    Registry(String),
}

impl Question {
    /// The same for a list, without looking for a row.
    #[must_use]
    pub fn of_exactly_this_part(mut self) -> Self {
        if let Self::Repositories { around, .. } | Self::Images { around, .. } = &mut self {
            *around = None;
        }
        self
    }

    /// Questions of one kind supersede one another: only the newest answer counts.
    pub fn kind(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Overview => "overview",
            Self::Repositories { .. } => "repositories",
            Self::Images { .. } => "images",
            Self::Registries => "registries",
            Self::Details(_) => "details",
            Self::Statistics => "statistics",
            Self::Find(_) => "find",
            Self::Complete(_) => "complete",
            Self::Comparison(_) => "comparison",
            Self::Words(_) => "words",
            Self::Standings => "standings",
            Self::Rows(_) => "rows",
            Self::Tags(..) => "tags",
            Self::Environment => "environment",
            Self::Rules => "rules",
            Self::Following => "following",
            Self::Files { .. } => "files",
            Self::TagList(upstream, _) => return Cow::Owned(format!("tag list {upstream}")),
            Self::Source(source) => return Cow::Owned(format!("source {source}")),
            Self::Targets => "targets",
            Self::Sight(target) => return Cow::Owned(format!("sight {target}")),
            Self::Difference((before, after)) => return Cow::Owned(format!("difference {before} {after}")),
        })
    }
}

/// Answer of the engine to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// To [`Question::Overview`].
    Overview(Overview),
    /// To [`Question::Repositories`].
    Repositories(Span, Rows<TreeRow<RepositoryRow>>),
    /// To [`Question::Registries`]: by the registry's name.
    Registries(BTreeMap<String, Totals>),
    /// To [`Question::Images`].
    Images(Span, Rows<ImageRow>),
    /// To [`Question::Details`].
    Details(Box<ImageDetails>),
    /// To [`Question::Statistics`].
    Statistics(Box<Insight>),
    /// To [`Question::Find`]: by which text.
    Found(String, Vec<Hit>),
    /// To [`Question::Complete`].
    Complete(Vec<String>),
    /// To [`Question::Words`].
    Words(Vec<String>, Vec<Suggestion>),
    /// To [`Question::Targets`].
    Targets(Vec<TargetView>, Vec<PublicationView>),
    /// To [`Question::Sight`]: a node that is lost is an answer, too.
    Sight(String, Result<Box<Sight>, Problem>),
    /// To [`Question::Difference`].
    Difference(Sides, Result<Box<Difference>, Problem>),
    /// To [`Question::Comparison`].
    Comparison(Images, Result<Box<ImageDifference>, Problem>),
    /// To [`Question::Standings`].
    Standings(Vec<TargetStanding>),
    /// To [`Question::Rows`]: of which repository, and which part.
    Rows(Option<String>, Span, Vec<(String, u64)>),
    /// To [`Question::Tags`]: of which reference; or why they can't be had.
    Tags(String, Result<Vec<String>, String>),
    /// To [`Question::Environment`]: what was looked at, and whether it is as it should be; and files that are here.
    Environment(Vec<Check>, FirstFiles),
    /// To [`Question::Rules`]: rules that can't be read are an answer, too.
    Rules(Result<Box<KnownRules>, Problem>),
    /// To [`Question::TagList`]: of which repository; or why they can't be had.
    TagList(Upstream, Result<Arc<TagList>, String>),
    /// To [`Question::Source`].
    Source(Source, Arc<NamedImages>),
    /// To [`Question::Following`].
    Following(Option<Box<Following>>, Vec<Serving>),
    /// To [`Question::Files`]: layers that can't be read are an answer, too.
    Files(String, Which, Result<Arc<ImageFiles>, Problem>),
    /// The question failed, for this reason.
    Failed(Problem),
}

/// The rules, and what the catalog has of their repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownRules {
    /// The rules, and what came of them.
    pub shown: ShownRules,
    /// What is here of the repositories that they are about.
    pub here: Here,
    /// When upstream was asked last of any image, in seconds since 1970.
    pub checked_at: Option<i64>,
}

/// Files in the directory that the interface was started in, as a first run may begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstFiles {
    /// A Compose file.
    pub compose: Option<&'static str>,
    /// A file of regsync.
    pub regsync: Option<&'static str>,
}

/// Something that was looked at before a first run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// It is as it should be; none: it need not be.
    pub good: Option<bool>,
    /// What was found, in a line.
    pub text: String,
}
