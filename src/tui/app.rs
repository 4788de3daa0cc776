//! Everything the interface knows. `update` changes it, [`super::view`] draws it; neither does anything else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::command::{Command, Context, Entry};
use super::dialog::flag_form::FlagForm;
use super::dialog::rule_form::RuleForm;
use super::dialog::{Dialog, Page};
use super::effect::Effect;
use super::glyphs::Glyphs;
use super::keymap::{Key, Keymap};
use super::planning::Pending;
use super::problem::Problem;
use super::question::{Check, Question};
use super::remembered::{Memorable, Remembered};
use super::serving::Serving;
use super::state::files::Files;
use super::state::following::FollowState;
use super::state::images::Images;
use super::state::jobs::Jobs;
use super::state::log::{Line, Log};
use super::state::publish::Publish;
use super::state::rules::Rules;
use super::state::standings::Standings;
use super::state::stats::Stats;
use super::state::tag_lists::TagLists;
use super::theme::Theme;
use super::work::{JobId, Request};
use crate::engine::query::browse::Overview;
use crate::holder::Holder;

/// How long times are shown in seconds.
const SECONDS_SHOWN: Duration = Duration::from_mins(1);

/// The numbers of questions and plans begin here, far from those of jobs.
const FIRST_QUESTION: u64 = 1 << 32;

/// One of the views between which the tabs switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Repositories, tags, one image.
    #[default]
    Images,
    /// What runs and what ended.
    Jobs,
    /// Targets, and what was published.
    Publish,
    /// The registry in figures.
    Stats,
    /// Messages and errors of this run.
    Log,
    /// What belongs in the registry, said once.
    Rules,
}

impl Tab {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Images, Self::Jobs, Self::Publish, Self::Stats, Self::Log, Self::Rules];

    /// Title of the view, as its tab shows it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Images => "Images",
            Self::Jobs => "Jobs",
            Self::Publish => "Publish",
            Self::Stats => "Stats",
            Self::Log => "Log",
            Self::Rules => "Rules",
        }
    }

    fn step(self, forward: bool) -> Self {
        let place = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(place + if forward { 1 } else { Self::ALL.len() - 1 }) % Self::ALL.len()]
    }
}

/// Styles and signs that everything is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Styles of the roles that text can have.
    pub theme: Theme,
    /// Signs, in Unicode or in ASCII.
    pub glyphs: Glyphs,
}

/// What is said for a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// Text that the last lines show.
    pub text: String,
    /// Time since the start at which it disappears.
    pub until: Duration,
    /// Something went well; else it is something to know.
    pub good: bool,
}

/// Settings and facts that an interface begins with.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Styles and signs that everything is drawn with.
    pub look: Look,
    /// Name of the theme in `look`.
    pub theme: &'static str,
    /// Colour may be used.
    pub colour: bool,
    /// Which key is what.
    pub keymap: Keymap,
    /// The mouse is on.
    pub mouse: bool,
    /// Size of the terminal in columns and rows.
    pub size: (u16, u16),
    /// The time of day.
    pub wall: jiff::Timestamp,
    /// Time zone in which times are shown.
    pub zone: jiff::tz::TimeZone,
}

/// State of the interface: everything that `view::draw` needs.
#[derive(Debug)]
pub struct App {
    /// The view that is open.
    pub tab: Tab,
    /// State of the view Images.
    pub images: Images,
    /// The files of an image, where they are shown.
    pub files: Option<Files>,
    /// State of the view Jobs.
    pub jobs: Jobs,
    /// State of the view Publish.
    pub publish: Publish,
    /// State of the view Stats.
    pub stats: Stats,
    /// State of the view Log.
    pub log: Log,
    /// State of the view Rules.
    pub rules: Rules,
    /// The tags of repositories that rules are about.
    pub tag_lists: TagLists,
    /// Whom the catalog follows.
    pub follow_state: FollowState,
    /// What lies over the view, the topmost last.
    pub dialogs: Vec<Dialog>,
    /// What is said for a moment.
    pub toast: Option<Toast>,
    /// What failed, until it is seen; the newest last.
    pub problems: Vec<Problem>,
    /// The registry in a line.
    pub overview: Option<Overview>,
    /// How the catalog stands to what the targets give out.
    pub standings: Standings,
    /// What a first run should know of this machine, once it was looked at.
    pub environment: Option<Vec<Check>>,
    /// A Compose file in the directory that the interface was started in.
    pub compose_file: Option<&'static str>,
    /// A file of regsync there.
    pub regsync_file: Option<&'static str>,
    /// What a plan that is being made waits for: of which number.
    pub waits: Option<(u64, String)>,
    /// What another process is changing in the catalog.
    pub elsewhere: Option<Holder>,
    /// Styles and signs that everything is drawn with.
    pub look: Look,
    /// Name of the theme in `look`.
    pub theme: &'static str,
    /// Colour may be used.
    pub colour: bool,
    /// Which key is what.
    pub keymap: Keymap,
    /// Why nothing may be changed, if it is so: half a sentence.
    pub read_only: Option<&'static str>,
    /// The mouse is on.
    pub mouse: bool,
    /// The terminal's size in columns and rows.
    pub size: (u16, u16),
    /// Time since the start.
    pub now: Duration,
    /// The time of day.
    pub wall: jiff::Timestamp,
    /// Time zone in which times are shown.
    pub zone: jiff::tz::TimeZone,
    /// The file of the program's log.
    pub log_file: Option<PathBuf>,
    /// Verbs of the command line: what the interface has no way of its own for is carried out on the terminal.
    pub verbs: Vec<String>,
    /// Whether the program was given a way to serve the registry.
    pub can_serve: bool,
    /// Whether the registry is served on this machine.
    pub serving: Serving,
    /// How it is to be served that is starting: in case that fails, the form is shown again.
    pub(super) serve_form: Option<Box<FlagForm>>,
    /// What is known from one start to the next.
    pub remembered: Remembered,
    /// Lines that are not in the file of the log yet.
    pub(super) unwritten: Vec<Line>,
    /// Something has been asked of the catalog and is not answered.
    pub(super) stale: bool,
    /// This machine was looked at, or is being.
    pub(super) looked: bool,
    /// Requests that were cut the last time, and that nobody has decided about.
    pub(super) cut: Vec<Request>,
    /// Plans of jobs that have not begun, by the job.
    pub(super) pending: BTreeMap<JobId, Pending>,
    /// When something new was known last, since the start.
    pub(super) news: Duration,
    /// Keys and clicks that have come.
    pub(super) keys: u64,
    /// A rule that is being saved, and by which job: in case that fails, the form is shown again.
    pub(super) saving_rule: Option<(JobId, Box<RuleForm>)>,
    /// How many requests are noted outside as running.
    pub(super) noted: usize,
    /// The next number of a question, plan or job.
    pub(super) next: u64,
    /// Number of the job that began last.
    pub(super) jobs_begun: JobId,
}

impl App {
    /// An interface that knows nothing yet.
    pub fn new(beginning: Beginning) -> Self {
        let mut app = Self {
            tab: Tab::default(),
            images: Images::default(),
            files: None,
            jobs: Jobs::default(),
            publish: Publish::default(),
            stats: Stats::default(),
            log: Log::default(),
            rules: Rules::default(),
            tag_lists: TagLists::default(),
            follow_state: FollowState::default(),
            pending: BTreeMap::new(),
            news: Duration::ZERO,
            keys: 0,
            saving_rule: None,
            dialogs: Vec::new(),
            toast: None,
            problems: Vec::new(),
            overview: None,
            standings: Standings::default(),
            environment: None,
            compose_file: None,
            regsync_file: None,
            waits: None,
            elsewhere: None,
            looked: false,
            cut: Vec::new(),
            noted: 0,
            look: beginning.look,
            theme: beginning.theme,
            colour: beginning.colour,
            keymap: beginning.keymap,
            read_only: None,
            mouse: beginning.mouse,
            size: beginning.size,
            now: Duration::ZERO,
            wall: beginning.wall,
            zone: beginning.zone,
            log_file: None,
            can_serve: false,
            verbs: Vec::new(),
            serving: Serving::Off,
            serve_form: None,
            remembered: Remembered::default(),
            unwritten: Vec::new(),
            stale: true,
            jobs_begun: 0,
            next: FIRST_QUESTION,
        };
        app.resize(beginning.size);
        app
    }

    /// Takes what is known from the last start.
    pub fn recall(&mut self, remembered: Remembered) {
        self.images.set_orders(remembered.orders());
        self.images.tree.set_grouping(remembered.grouping());
        self.remembered = remembered;
    }

    /// Remembers this for the next start.
    pub(super) fn keep(&mut self, what: Memorable) -> Effect {
        self.remembered.take(&what);
        Effect::Keep(what)
    }

    /// How lists are sorted, if that is not what is remembered.
    pub(super) fn sorted_anew(&mut self) -> Option<Effect> {
        let orders = self.images.orders();
        let known = self.remembered.orders();
        let same = (known.repositories(), known.tags()) == (orders.repositories(), orders.tags());
        (!same).then(|| self.keep(Memorable::Orders(orders)))
    }

    /// How repositories are put, if that is not what is remembered.
    pub(super) fn grouped_anew(&mut self) -> Option<Effect> {
        let grouping = self.images.tree.grouping();
        (grouping != *self.remembered.grouping()).then(|| self.keep(Memorable::Grouping(grouping)))
    }

    pub(super) fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.measure();
    }

    /// Takes the room that the views have from where everything is.
    pub(super) fn measure(&mut self) {
        // Without frame and heads.
        let height = super::view::frame::Parts::of(self).body.height.saturating_sub(3).max(1);
        self.images.set_height(height);
        self.images.previews = self.size.0 >= 160 && self.size.1 >= 45;
        let files = super::view::files_height(self);
        if let Some(shown) = &mut self.files {
            shown.set_height(files);
        }
        self.jobs.height = usize::from(height);
        self.stats.height = height;
        self.publish.height = usize::from(height / 2);
        self.log.height = usize::from(height);
        self.rules.height = usize::from(height);
    }

    /// Whether there is no image at all, as far as is known: a first run.
    pub fn is_empty(&self) -> bool {
        let list = &self.images.repositories;
        list.window.is_known() && list.window.total() == 0 && list.filter.is_empty()
    }

    /// Whether details are shown beside a list.
    pub fn beside(&self) -> bool {
        self.size.0 >= 120
    }

    /// Whether somebody looks at whom the catalog follows.
    fn shows_following(&self) -> bool {
        self.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Page { page: Page::Following, .. }))
    }

    /// Whether the terminal is too small for anything but saying so.
    pub fn is_too_small(&self) -> bool {
        self.size.0 < 60 || self.size.1 < 15
    }

    /// Whether something on the screen changes by itself.
    pub fn is_moving(&self) -> bool {
        self.toast.as_ref().is_some_and(|toast| toast.until < Duration::MAX)
            || self.jobs.running().next().is_some()
            || self.elsewhere.is_some()
            || matches!(self.dialogs.last(), Some(Dialog::Planning { .. } | Dialog::Add(_)))
    }

    /// Where the keys go: the contexts of the open view.
    pub fn contexts(&self) -> &'static [Context] {
        match self.tab {
            Tab::Images if self.is_empty() => &[Context::First],
            Tab::Images if self.files.is_some() => &[Context::Files],
            Tab::Images => self.images.contexts(),
            Tab::Jobs => &[Context::List, Context::Jobs],
            Tab::Publish => &[Context::List, Context::Publish],
            Tab::Stats => &[Context::Stats],
            Tab::Log => &[Context::List, Context::Log],
            Tab::Rules => self.rules.contexts(),
        }
    }

    /// Whether the open view has no row that a command could be about.
    fn is_bare(&self) -> bool {
        match self.tab {
            Tab::Images => self.is_empty(),
            Tab::Jobs => self.jobs.jobs.is_empty(),
            Tab::Publish => self.publish.known && self.publish.targets.is_empty(),
            Tab::Rules => self.rules.known && self.rules.shown.rules.is_empty(),
            Tab::Stats | Tab::Log => false,
        }
    }

    /// The commands that make sense here, with their keys.
    pub fn offered(&self) -> impl Iterator<Item = (&'static Entry, &[Key])> {
        self.keymap
            .applying(self.contexts())
            .filter(|(_, keys)| !keys.is_empty())
            .filter(|(entry, _)| self.read_only.is_none() || !entry.command.changes())
            .filter(|(entry, _)| self.follow_state.following.is_none() || !entry.command.changes_images())
            .filter(|(entry, _)| self.follow_state.following.is_some() || entry.command != Command::FollowName)
            .filter(|(entry, _)| !self.is_bare() || entry.needs_no_row())
            .filter(|(entry, _)| match self.tab {
                Tab::Jobs => self.jobs.offers(entry.command),
                Tab::Publish => self.publish.offers(entry.command),
                Tab::Log => self.log.offers(entry.command),
                Tab::Rules => self.rules.offers(entry.command),
                Tab::Images if self.files.as_ref().is_some_and(|files| !files.offers(entry.command)) => false,
                Tab::Images if self.files.is_none() && !self.images.offers(entry.command) => false,
                // What runs is cancelled from everywhere; the footer says so where it is seen.
                Tab::Images | Tab::Stats => entry.command != Command::Cancel,
            })
    }

    /// The commands of the footer, in order.
    pub fn footer(&self) -> Vec<(Command, String)> {
        let mut commands: Vec<_> = self.offered().filter(|(entry, _)| entry.footer > 0).collect();
        // What is marked is marked for these.
        let marked = self.tab == Tab::Images && self.images.marked().0 > 0;
        let first = |command| marked && matches!(command, Command::Remove | Command::Update | Command::Mark);
        commands.sort_by_key(|(entry, _)| (!first(entry.command), entry.footer));
        commands.iter().map(|(entry, keys)| (entry.command, keys[0].short())).collect()
    }

    /// Whether something is to be asked or drawn by now, although nothing happened.
    pub fn is_due(&self, now: Duration) -> bool {
        let asks = self.tab == Tab::Publish && self.publish.is_due(now)
            || self.follow_state.is_due(now, self.shows_following())
            || self
                .follow_state
                .is_look_due(now, self.wall.as_second() + (now.saturating_sub(self.now)).as_secs() as i64);
        // What is younger than a minute, or due within one, is shown in seconds; anything else changes by the minute.
        let in_seconds = now.saturating_sub(self.news) <= SECONDS_SHOWN
            || self.tab == Tab::Rules && self.rules.is_due_soon(self.wall.as_second());
        asks || in_seconds || now.saturating_sub(self.now) >= SECONDS_SHOWN
    }

    /// The number of a new job: people read it, so they count up by one.
    pub(super) fn job_number(&mut self) -> JobId {
        self.jobs_begun += 1;
        self.jobs_begun
    }

    /// A number that no question, plan or job has had.
    pub(super) fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn open(&mut self, tab: Tab) {
        self.tab = tab;
    }

    pub(super) fn step_tab(&mut self, forward: bool) {
        self.tab = self.tab.step(forward);
    }

    /// What the open view and the frame want to know, as effects.
    pub(super) fn wants(&mut self) -> Vec<Effect> {
        let mut questions = Vec::new();
        if std::mem::take(&mut self.stale) {
            questions.push(Question::Overview);
        }
        if let Some(Dialog::Palette(palette)) = self.dialogs.last_mut() {
            questions.extend(palette.wants().map(Question::Words));
        }
        questions.extend(self.publish.wants_always());
        questions.extend(self.rules.wants_always());
        let shown = self.shows_following();
        questions.extend(self.follow_state.wants(self.now, shown));
        match self.tab {
            Tab::Images => {
                let beside = self.beside();
                questions.extend(self.images.wants(beside, &self.standings));
                questions.extend(self.standings.wants());
                questions.extend(self.files.as_mut().and_then(Files::wants));
                if self.is_empty() && !std::mem::replace(&mut self.looked, true) {
                    questions.push(Question::Environment);
                }
            }
            Tab::Stats => questions.extend(self.stats.wants()),
            Tab::Publish => {
                let root = self.overview.as_ref().and_then(|overview| overview.root.as_deref());
                questions.extend(self.publish.wants(self.now, root));
            }
            Tab::Rules => {
                let listed = self.rules.listed().cloned();
                questions.extend(listed.and_then(|upstream| self.tag_lists.wants(&upstream, None)));
            }
            Tab::Jobs | Tab::Log => {}
        }
        questions.into_iter().map(|question| Effect::Ask(self.ticket(), question)).collect()
    }
}
