//! Dialogs: what lies over a view and gets the keys first. A dialog is a value; the view of it is drawn elsewhere.

pub mod actions;
pub mod add;
pub mod completions;
pub mod confirm;
pub mod flag_form;
pub mod follow_fields;
pub mod form;
pub mod jump;
pub mod menu;
pub mod palette;
pub mod platforms;
pub mod prompt;
pub mod rule_form;
mod serve_fields;

use std::time::Duration;

use actions::Actions;
use add::Add;
use confirm::Confirm;
use flag_form::FlagForm;
use form::Form;
use jump::Jump;
use menu::Menu;
use palette::Palette;
use prompt::Prompt;
use rule_form::RuleForm;

use super::describe::Row;
use super::work::Request;

/// A dialog over the view; it takes all keys.
#[derive(Debug)]
pub enum Dialog {
    /// A plan is being made.
    Planning {
        /// Number by which the plan is answered or given up.
        ticket: u64,
        /// Request that the plan is made for.
        request: Request,
        /// Why it is made, if the user did not ask for it just now.
        because: Option<String>,
        /// Time since the start at which planning began.
        since: Duration,
    },
    /// Images to add are asked for, with the plan beside.
    Add(Box<Add>),
    /// These jobs were cut when the program ended the last time; whether to go on with them.
    Cut(Vec<Request>),
    /// A plan is shown, and asks whether to run it.
    Confirm(Box<Confirm>),
    /// A line of text is asked for.
    Prompt(Prompt),
    /// A target, field by field.
    Form(Box<Form>),
    /// The flags of a verb, field by field.
    Flags(Box<FlagForm>),
    /// A rule, field by field, with what it would take.
    RuleForm(Box<RuleForm>),
    /// The commands, to choose one.
    Palette(Palette),
    /// Anything in the catalog, to go there.
    Jump(Jump),
    /// Some things to choose from.
    Menu(Menu),
    /// What can be done with a row.
    Actions(Actions),
    /// Something to be read.
    Message {
        /// Title in the frame of the dialog.
        title: String,
        /// Lines of the message, wrapped when drawn.
        rows: Vec<Row>,
        /// Lines that are scrolled out at the top.
        scroll: u16,
    },
    /// Something to be read that changes while it is read.
    Page {
        /// What it is about.
        page: Page,
        /// Lines that are scrolled out at the top.
        scroll: u16,
    },
    /// Leaving although jobs run: finish, cancel, stay.
    Leave,
}

/// What is read in a dialog as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What is under the cursor of the view Publish.
    Target,
    /// Whom the catalog follows, and how far it is.
    Following,
}
