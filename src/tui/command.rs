//! Everything that can be done. Footer, help, palette, key bindings, manual and guide are made of the table.

pub use super::command_table::TABLE;

/// Where a command applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// In every view and list.
    Everywhere,
    /// In every list, whatever it shows.
    List,
    /// Where there is no image at all.
    First,
    /// In the list of repositories.
    Repositories,
    /// In a repository's list of tags.
    Tags,
    /// In the details of an image.
    Details,
    /// In the files of an image.
    Files,
    /// In the view Jobs.
    Jobs,
    /// In the targets and their history.
    Publish,
    /// In the view Stats.
    Stats,
    /// In the view Log.
    Log,
    /// In the list of rules.
    Rules,
    /// In the page of a rule.
    Rule,
    /// In the list of what waits for a decision.
    Decisions,
}

impl Context {
    /// What it is called where it is told of a key that is none here.
    pub fn place(self) -> Option<&'static str> {
        match self {
            Self::Everywhere | Self::List | Self::First => None,
            Self::Repositories => Some("the list of repositories"),
            Self::Tags => Some("a list of tags"),
            Self::Details => Some("the details of an image"),
            Self::Files => Some("the files of an image"),
            Self::Jobs => Some("Jobs"),
            Self::Publish => Some("Publish"),
            Self::Stats => Some("Stats"),
            Self::Log => Some("Log"),
            Self::Rules => Some("Rules"),
            Self::Rule => Some("the page of a rule"),
            Self::Decisions => Some("the decisions of Rules"),
        }
    }
}

/// A command: what a key, the palette or a click can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table says what each is")]
pub enum Command {
    Up,
    Down,
    First,
    Last,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    Open,
    Back,
    NextView,
    FormerView,
    Images,
    Jobs,
    Publish,
    Stats,
    Log,
    Rules,
    Filter,
    Jump,
    NextMatch,
    FormerMatch,
    Fold,
    FoldAll,
    Tree,
    NextPlatform,
    FormerPlatform,
    Mark,
    MarkAll,
    MarkRange,
    SortNext,
    SortFormer,
    SortTurn,
    Add,
    Remove,
    Undo,
    Redo,
    Update,
    UpdateAll,
    Verify,
    Gc,
    Allow,
    Check,
    CheckAll,
    Example,
    FirstTarget,
    FirstFile,
    PublishAll,
    Copy,
    CopyMenu,
    Files,
    CloseFiles,
    FoldDirectory,
    OnlyChanges,
    LayerNext,
    LayerFormer,
    FilesPlatform,
    SaveFile,
    Browse,
    Cancel,
    Retry,
    Clear,
    TargetAdd,
    TargetEdit,
    TargetTest,
    TargetRemove,
    Rollback,
    Compare,
    RuleRun,
    RuleNew,
    RuleEdit,
    RuleRemove,
    RuleCheck,
    Decide,
    TakeNow,
    Ignore,
    Follow,
    Level,
    Serve,
    FollowName,
    Mouse,
    Theme,
    Menu,
    Palette,
    Help,
    Redraw,
    Suspend,
    Quit,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Command that this row describes.
    pub command: Command,
    /// What the configuration and the palette call it.
    pub id: &'static str,
    /// Keys that the configuration can replace; the first one is shown.
    pub keys: &'static [&'static str],
    /// Short enough for the footer.
    pub title: &'static str,
    /// What it does, in one line.
    pub explanation: &'static str,
    /// Contexts in which the keys do it.
    pub contexts: &'static [Context],
    /// Whether it takes something away; it asks then.
    pub destroys: bool,
    /// Place in the footer, from 1; 0: it is not there.
    pub footer: u8,
}

impl Command {
    /// Whether it may lead to a change, here or elsewhere: an interface that only looks refuses it.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Remove
                | Self::Undo
                | Self::Redo
                | Self::Update
                | Self::UpdateAll
                | Self::Gc
                | Self::Allow
                | Self::Example
                | Self::FirstTarget
                | Self::FirstFile
                | Self::PublishAll
                | Self::Retry
                | Self::TargetAdd
                | Self::TargetEdit
                | Self::TargetTest
                | Self::TargetRemove
                | Self::Rollback
                | Self::RuleRun
                | Self::RuleNew
                | Self::RuleEdit
                | Self::RuleRemove
                | Self::TakeNow
                | Self::Ignore
        )
    }

    /// Whether it may lead to another content of the catalog: one that follows refuses it.
    pub fn changes_images(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Remove
                | Self::Undo
                | Self::Redo
                | Self::Update
                | Self::UpdateAll
                | Self::Allow
                | Self::Example
                | Self::FirstFile
                | Self::RuleRun
                | Self::RuleNew
                | Self::RuleEdit
                | Self::RuleRemove
                | Self::TakeNow
                | Self::Ignore
        )
    }

    /// Row of [`TABLE`] that describes it.
    pub fn entry(self) -> &'static Entry {
        // The table has every command: a test says so.
        TABLE.iter().find(|entry| entry.command == self).unwrap_or(&TABLE[0])
    }
}

/// What a command is about: the part of the help that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The row under the cursor, or the marked ones.
    Row,
    /// What is shown, and how.
    Shown,
    /// The registry as a whole.
    Registry,
    /// Going from view to view.
    Views,
    /// Moving the cursor.
    Moving,
    /// The program itself.
    Program,
}

impl Topic {
    /// Heading of its part of the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Row => "This row",
            Self::Shown => "What is shown",
            Self::Registry => "Registry",
            Self::Views => "Views",
            Self::Moving => "Moving",
            Self::Program => "Program",
        }
    }
}

/// A line of the table.
pub(super) const fn entry(
    command: Command,
    id: &'static str,
    keys: &'static [&'static str],
    title: &'static str,
    explanation: &'static str,
    contexts: &'static [Context],
    footer: u8,
) -> Entry {
    Entry { command, id, keys, title, explanation, contexts, destroys: false, footer }
}

/// The same, said to destroy something.
pub(super) const fn destroying(mut entry: Entry) -> Entry {
    entry.destroys = true;
    entry
}

impl Entry {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self.command {
            Command::MarkAll
            | Command::MarkRange
            | Command::Filter
            | Command::NextMatch
            | Command::FormerMatch
            | Command::SortNext
            | Command::SortFormer
            | Command::SortTurn
            | Command::Fold
            | Command::FoldAll
            | Command::Tree
            | Command::NextPlatform
            | Command::FormerPlatform
            | Command::Clear
            | Command::TargetAdd
            | Command::RuleNew
            | Command::Decide
            | Command::Follow
            | Command::Level => Topic::Shown,
            Command::Example | Command::FirstTarget | Command::FirstFile => Topic::Registry,
            Command::Images
            | Command::Jobs
            | Command::Publish
            | Command::Stats
            | Command::Log
            | Command::Rules
            | Command::NextView
            | Command::FormerView => Topic::Views,
            Command::Up
            | Command::Down
            | Command::First
            | Command::Last
            | Command::PageUp
            | Command::PageDown
            | Command::HalfUp
            | Command::HalfDown
            | Command::Back => Topic::Moving,
            Command::Menu
            | Command::Palette
            | Command::Help
            | Command::Mouse
            | Command::Theme
            | Command::Redraw
            | Command::Suspend
            | Command::Quit => Topic::Program,
            command if self.contexts.contains(&Context::Everywhere) && command != Command::Cancel => Topic::Registry,
            _ => Topic::Row,
        }
    }

    /// Whether it makes sense where a view is empty.
    pub fn needs_no_row(&self) -> bool {
        self.contexts.contains(&Context::Everywhere)
            || matches!(
                self.command,
                Command::TargetAdd | Command::RuleNew | Command::Example | Command::FirstTarget | Command::FirstFile
            )
    }

    /// Whether it applies where these contexts are.
    pub fn applies(&self, contexts: &[Context]) -> bool {
        self.contexts.iter().any(|context| *context == Context::Everywhere || contexts.contains(context))
    }
}
