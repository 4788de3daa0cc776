//! The columns of the lists of the view Rules, a part of the one table.

use super::columns::{Column, MAX_NAME_COLUMNS, Styled, Width, between, exactly};

/// What the list of rules can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RuleOrder {
    /// As they are written: what is fetched first is first.
    #[default]
    Written,
    /// By name.
    Name,
    /// By how many images it selected.
    Selected,
    /// By how many images came.
    New,
    /// By how many tags are not old enough.
    Held,
    /// By how many images go after a time.
    Leaving,
    /// By how many images wait for the next run.
    Postponed,
    /// By how many tags moved and stay as they are.
    Refused,
    /// By how many images are not there upstream any more.
    Gone,
    /// By when it ran.
    LastRun,
    /// By when it runs again.
    NextRun,
}

/// What is shown of a rule.
#[derive(Debug, Default)]
pub struct RuleCells {
    /// Name of the rule, cut to its column.
    pub name: String,
    /// Its patterns or sources.
    pub takes: String,
    /// Images that it selects.
    pub selected: Styled,
    /// Images that came in its last run, or would come.
    pub new: Styled,
    /// Tags that are not old enough.
    pub held: Styled,
    /// Images that go after a time.
    pub leaving: Styled,
    /// Images that wait for the next run.
    pub postponed: Styled,
    /// Tags that moved upstream and stay here as they are.
    pub refused: Styled,
    /// Images that are not there upstream any more.
    pub gone: Styled,
    /// How long ago it ran, and whether all went well.
    pub last_run: Styled,
    /// In how long it runs again.
    pub next_run: String,
    /// Pulls that are left of its registry's quota, of how many.
    pub quota: Styled,
}

/// The columns of the list of rules.
pub const RULES: [Column<RuleCells, Option<RuleOrder>>; 12] = [
    Column {
        id: "rule",
        title: "RULE",
        json: "rule",
        width: between(6, MAX_NAME_COLUMNS),
        order: Some(RuleOrder::Name),
        text: |row, theme| (row.name.clone(), theme.name),
    },
    Column {
        id: "takes",
        title: "TAKES",
        json: "tags",
        width: between(0, MAX_NAME_COLUMNS),
        order: None,
        text: |row, theme| (row.takes.clone(), theme.text),
    },
    Column {
        id: "selected",
        title: "SELECTED",
        json: "outcome",
        width: Width { right: true, ..exactly(8) },
        order: Some(RuleOrder::Selected),
        text: |row, _| row.selected.clone(),
    },
    Column {
        id: "new",
        title: "NEW",
        json: "outcome",
        width: Width { right: true, ..exactly(4) },
        order: Some(RuleOrder::New),
        text: |row, _| row.new.clone(),
    },
    Column {
        id: "held",
        title: "HELD",
        json: "outcome",
        width: Width { right: true, ..exactly(5) },
        order: Some(RuleOrder::Held),
        text: |row, _| row.held.clone(),
    },
    Column {
        id: "leaving",
        title: "LEAVING",
        json: "outcome",
        width: Width { right: true, ..exactly(8) },
        order: Some(RuleOrder::Leaving),
        text: |row, _| row.leaving.clone(),
    },
    Column {
        id: "postponed",
        title: "POSTPONED",
        json: "outcome",
        width: Width { right: true, ..exactly(9) },
        order: Some(RuleOrder::Postponed),
        text: |row, _| row.postponed.clone(),
    },
    Column {
        id: "refused",
        title: "REFUSED",
        json: "outcome",
        width: Width { right: true, ..exactly(7) },
        order: Some(RuleOrder::Refused),
        text: |row, _| row.refused.clone(),
    },
    Column {
        id: "gone",
        title: "GONE",
        json: "outcome",
        width: Width { right: true, ..exactly(4) },
        order: Some(RuleOrder::Gone),
        text: |row, _| row.gone.clone(),
    },
    Column {
        id: "last-run",
        title: "LAST RUN",
        json: "ran_at",
        width: Width { right: true, ..exactly(9) },
        order: Some(RuleOrder::LastRun),
        text: |row, _| row.last_run.clone(),
    },
    Column {
        id: "next-run",
        title: "NEXT RUN",
        json: "ran_at",
        width: Width { right: true, from: 88, ..exactly(9) },
        order: Some(RuleOrder::NextRun),
        text: |row, theme| (row.next_run.clone(), theme.dim),
    },
    Column {
        id: "quota",
        title: "QUOTA",
        json: "repository",
        width: Width { right: true, from: 104, ..exactly(10) },
        order: None,
        text: |row, _| row.quota.clone(),
    },
];

/// What is shown of a tag of a rule's repository.
#[derive(Debug, Default)]
pub struct RuleTagCells {
    /// Tag, cut to its column.
    pub tag: String,
    /// Why it is in or out.
    pub why: Styled,
    /// Whether it is here, and by whom.
    pub here: Styled,
}

/// The columns of a rule's tags.
pub const RULE_TAGS: [Column<RuleTagCells>; 3] = [
    Column {
        id: "tag",
        title: "TAG",
        json: "tag",
        width: between(8, MAX_NAME_COLUMNS),
        order: (),
        text: |row, theme| (row.tag.clone(), theme.name),
    },
    Column { id: "why", title: "WHY", json: "reason", width: exactly(0), order: (), text: |row, _| row.why.clone() },
    Column {
        id: "here",
        title: "HERE",
        json: "brought",
        width: between(8, 22),
        order: (),
        text: |row, _| row.here.clone(),
    },
];

/// What is shown of something that waits for a decision.
#[derive(Debug, Default)]
pub struct DecisionCells {
    /// Image, cut to its column.
    pub image: String,
    /// What happened to it.
    pub what: Styled,
    /// What is so until somebody decides.
    pub then: String,
    /// The rule that it belongs to.
    pub rule: String,
}

/// The columns of what waits for a decision.
pub const DECISIONS: [Column<DecisionCells>; 4] = [
    Column {
        id: "image",
        title: "IMAGE",
        json: "image",
        width: between(10, MAX_NAME_COLUMNS),
        order: (),
        text: |row, theme| (row.image.clone(), theme.name),
    },
    Column { id: "what", title: "WHAT", json: "held", width: exactly(8), order: (), text: |row, _| row.what.clone() },
    Column {
        id: "then",
        title: "IF NOTHING IS DONE",
        json: "until",
        width: exactly(0),
        order: (),
        text: |row, theme| (row.then.clone(), theme.text),
    },
    Column {
        id: "rule",
        title: "RULE",
        json: "rule",
        width: Width { from: 90, ..between(6, 24) },
        order: (),
        text: |row, theme| (row.rule.clone(), theme.dim),
    },
];
