//! Everything that can be done, in one table: footer, help, palette, key bindings, manual and README are made of it.

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
    /// In the view Jobs.
    Jobs,
    /// In the targets and their history.
    Publish,
    /// In the view Stats.
    Stats,
    /// In the view Log.
    Log,
}

impl Context {
    /// What it is called where it is told of a key that is none here.
    pub fn place(self) -> Option<&'static str> {
        match self {
            Self::Everywhere | Self::List | Self::First => None,
            Self::Repositories => Some("the list of repositories"),
            Self::Tags => Some("a list of tags"),
            Self::Details => Some("the details of an image"),
            Self::Jobs => Some("Jobs"),
            Self::Publish => Some("Publish"),
            Self::Stats => Some("Stats"),
            Self::Log => Some("Log"),
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
    Filter,
    NextMatch,
    FormerMatch,
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
    PublishAll,
    Copy,
    CopyMenu,
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
    Follow,
    Level,
    Serve,
    Mouse,
    Theme,
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

use Context::{Details, Everywhere, First, Jobs, List, Log, Publish, Repositories, Stats, Tags};

const fn entry(
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

const fn destroying(mut entry: Entry) -> Entry {
    entry.destroys = true;
    entry
}

const IMAGES: &[Context] = &[Repositories, Tags, Details];
const FOUND: &[Context] = &[Repositories, Tags, Details, Log];
const COPIED: &[Context] = &[Repositories, Tags, Details, Jobs, Publish, Log];

/// Every command, in the order of the list of keys.
pub const TABLE: &[Entry] = &[
    entry(Command::Open, "open", &["enter", "l", "right"], "open", "Open the row under the cursor", &[List], 10),
    entry(Command::Add, "add", &["a"], "add", "Mirror an image from a registry", &[Everywhere], 11),
    entry(
        Command::PublishAll,
        "publish",
        &["p"],
        "publish",
        "Publish the current registry to all targets",
        &[Everywhere],
        12,
    ),
    entry(
        Command::Filter,
        "filter",
        &["/"],
        "filter",
        "Show only rows that contain a text; in an image's details, search for it",
        FOUND,
        13,
    ),
    destroying(entry(
        Command::Remove,
        "remove",
        &["d", "delete"],
        "remove",
        "Remove the marked images, or the one under the cursor, from the catalog",
        IMAGES,
        14,
    )),
    entry(
        Command::Update,
        "update",
        &["r"],
        "update",
        "Bring the marked images, or the one under the cursor, up to date with upstream",
        IMAGES,
        15,
    ),
    entry(
        Command::Copy,
        "copy",
        &["y"],
        "copy",
        "Copy from the row under the cursor: a pull reference, a CID, a job's text, a line",
        COPIED,
        16,
    ),
    entry(
        Command::CopyMenu,
        "copy-menu",
        &["Y"],
        "copy…",
        "Choose what to copy: digest, CID, ipfs:// URL, pull command",
        COPIED,
        0,
    ),
    entry(Command::Mark, "mark", &["space"], "mark", "Mark the row; commands apply to all marked rows", &[List], 17),
    entry(
        Command::MarkAll,
        "mark-all",
        &["*"],
        "mark all",
        "Mark or unmark every row that the filter shows",
        &[List],
        0,
    ),
    entry(
        Command::MarkRange,
        "mark-range",
        &["v"],
        "mark range",
        "Mark every row from the last marked one to this one",
        &[Repositories, Tags],
        0,
    ),
    entry(Command::Undo, "undo", &["u"], "undo", "Undo the last change to images", &[Everywhere], 18),
    entry(Command::Redo, "redo", &["ctrl-r"], "redo", "Redo the change that was undone last", &[Everywhere], 0),
    entry(
        Command::UpdateAll,
        "update-all",
        &["R"],
        "update all",
        "Bring every image up to date with upstream",
        &[Everywhere],
        0,
    ),
    entry(
        Command::Check,
        "check",
        &["c"],
        "check",
        "Ask upstream whether the marked images, or the one under the cursor, are outdated; uses no quota",
        IMAGES,
        0,
    ),
    entry(
        Command::CheckAll,
        "check-all",
        &["U"],
        "check all",
        "Ask upstream which images are outdated; uses no quota",
        &[Everywhere],
        0,
    ),
    entry(
        Command::Example,
        "example",
        &["e"],
        "example",
        "Mirror a small example, while there is no image yet",
        &[First],
        0,
    ),
    entry(
        Command::FirstTarget,
        "first-target",
        &["n"],
        "set up target",
        "Set up a target to publish to, while there is no image yet",
        &[First],
        0,
    ),
    entry(
        Command::Allow,
        "allow",
        &["A"],
        "allow",
        "Allow a private repository to be published, or revoke that",
        &[Repositories],
        0,
    ),
    entry(
        Command::Browse,
        "browse",
        &["o"],
        "browse",
        "Open its page in a browser, or its text in the pager",
        &[Tags, Details, Jobs, Log],
        0,
    ),
    entry(
        Command::Cancel,
        "cancel",
        &["x"],
        "cancel",
        "Cancel this job, or the one that is running; what is verified is kept",
        &[Everywhere],
        10,
    ),
    entry(Command::Retry, "retry", &["t"], "retry", "Restart a job that failed or was cancelled", &[Jobs], 11),
    entry(Command::Clear, "clear", &["c"], "clear", "Forget jobs that have ended", &[Jobs], 12),
    entry(Command::TargetAdd, "target-add", &["n"], "new", "Set up a target to publish to", &[Publish], 24),
    entry(Command::TargetEdit, "target-edit", &["e"], "edit", "Change the target", &[Publish], 21),
    entry(
        Command::TargetTest,
        "target-test",
        &["t"],
        "test",
        "Test every permission that publishing to the target needs",
        &[Publish],
        22,
    ),
    entry(Command::Rollback, "rollback", &["b"], "rollback", "Publish the root under the cursor again", &[Publish], 20),
    entry(
        Command::Compare,
        "compare",
        &["="],
        "compare",
        "Show what differs between the root under the cursor and the catalog",
        &[Publish],
        23,
    ),
    destroying(entry(
        Command::TargetRemove,
        "target-remove",
        &["d", "delete"],
        "remove",
        "Forget the target, or the older root; what is published stays where it is",
        &[Publish],
        25,
    )),
    entry(Command::Follow, "follow", &["f"], "follow", "Stay at the newest line", &[Log], 10),
    entry(Command::Level, "level", &["v"], "level", "Show more or fewer levels", &[Log], 11),
    entry(
        Command::Verify,
        "verify",
        &["V"],
        "verify",
        "Check all blobs against their digests, and the tree against its root",
        &[Everywhere],
        0,
    ),
    destroying(entry(
        Command::Gc,
        "gc",
        &["C"],
        "gc",
        "Reclaim the disk space that nothing needs any more",
        &[Everywhere],
        0,
    )),
    entry(
        Command::Serve,
        "serve",
        &["S"],
        "serve",
        "Start or stop serving the registry on this machine",
        &[Everywhere],
        0,
    ),
    entry(Command::Images, "images", &["1"], "images", "Show the images", &[Everywhere], 0),
    entry(Command::Jobs, "jobs", &["2"], "jobs", "Show what is running and what ended", &[Everywhere], 0),
    entry(Command::Publish, "targets", &["3"], "targets", "Show the targets and what was published", &[Everywhere], 0),
    entry(Command::Stats, "stats", &["4"], "stats", "Show statistics", &[Everywhere], 0),
    entry(Command::Log, "log", &["5"], "log", "Show what happened", &[Everywhere], 0),
    entry(Command::NextView, "next-view", &["tab"], "next view", "Show the next view", &[Everywhere], 0),
    entry(
        Command::FormerView,
        "former-view",
        &["shift-tab"],
        "previous view",
        "Show the previous view",
        &[Everywhere],
        0,
    ),
    entry(Command::Up, "up", &["up", "k"], "up", "One row up", &[List, Details, Stats], 0),
    entry(Command::Down, "down", &["down", "j"], "down", "One row down", &[List, Details, Stats], 0),
    entry(Command::PageUp, "page-up", &["page-up", "ctrl-b"], "page up", "One page up", &[List, Details, Stats], 0),
    entry(
        Command::PageDown,
        "page-down",
        &["page-down", "ctrl-f"],
        "page down",
        "One page down",
        &[List, Details, Stats],
        0,
    ),
    entry(Command::HalfUp, "half-up", &["ctrl-u"], "half up", "Half a page up", &[List, Details, Stats], 0),
    entry(Command::HalfDown, "half-down", &["ctrl-d"], "half down", "Half a page down", &[List, Details, Stats], 0),
    entry(Command::First, "first", &["home", "g"], "first", "The first row", &[List, Details, Stats], 0),
    entry(Command::Last, "last", &["end", "G"], "last", "The last row", &[List, Details, Stats], 0),
    entry(
        Command::Back,
        "back",
        &["esc", "h", "left"],
        "back",
        "Clear the marks and the filter, then go back",
        &[List, Details],
        0,
    ),
    entry(Command::NextMatch, "next-match", &["n"], "next match", "Go to the next match of the filter", FOUND, 0),
    entry(Command::FormerMatch, "former-match", &["N"], "previous match", "Go to the previous match", FOUND, 0),
    entry(Command::SortNext, "sort-next", &[">"], "sort next", "Sort by the next column", &[Repositories, Tags], 0),
    entry(
        Command::SortFormer,
        "sort-former",
        &["<"],
        "sort previous",
        "Sort by the previous column",
        &[Repositories, Tags],
        0,
    ),
    entry(Command::SortTurn, "sort-turn", &["s"], "reverse order", "Reverse the order", &[Repositories, Tags], 0),
    entry(
        Command::Mouse,
        "mouse",
        &["M"],
        "mouse",
        "Turn the mouse on or off; when off, the terminal selects text",
        &[Everywhere],
        0,
    ),
    entry(Command::Theme, "theme", &["T"], "theme", "Use the next theme", &[Everywhere], 0),
    entry(Command::Redraw, "redraw", &["ctrl-l"], "redraw", "Draw the whole screen again", &[Everywhere], 0),
    entry(
        Command::Suspend,
        "suspend",
        &["ctrl-z"],
        "suspend",
        "Suspend the program and its jobs until `fg`",
        &[Everywhere],
        0,
    ),
    entry(
        Command::Palette,
        "palette",
        &[":"],
        "commands",
        "Find a command by its name, or type a verb of the command line",
        &[Everywhere],
        0,
    ),
    entry(Command::Help, "help", &["?", "f1"], "help", "Show the commands available here", &[Everywhere], 90),
    entry(Command::Quit, "quit", &["q", "ctrl-c"], "quit", "Leave; asks if jobs are running", &[Everywhere], 91),
];

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
                | Self::PublishAll
                | Self::Retry
                | Self::TargetAdd
                | Self::TargetEdit
                | Self::TargetTest
                | Self::TargetRemove
                | Self::Rollback
        )
    }

    /// Row of [`TABLE`] that describes it.
    pub fn entry(self) -> &'static Entry {
        // The table has every command: a test says so.
        TABLE.iter().find(|entry| entry.command == self).unwrap_or(&TABLE[0])
    }
}

impl Entry {
    /// Whether it makes sense where a view is empty.
    pub fn needs_no_row(&self) -> bool {
        self.contexts.contains(&Everywhere)
            || matches!(self.command, Command::TargetAdd | Command::Example | Command::FirstTarget)
    }

    /// Whether it applies where these contexts are.
    pub fn applies(&self, contexts: &[Context]) -> bool {
        self.contexts.iter().any(|context| *context == Everywhere || contexts.contains(context))
    }
}
