//! What keys mean to dialogs. A dialog that stays open is pushed back.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::App;
use super::command::Command;
use super::dialog::confirm::Answer;
use super::dialog::flag_form::Subject;
use super::dialog::prompt::Purpose;
use super::dialog::{Dialog, Page, actions, confirm, flag_form, form, menu, palette, prompt};
use super::effect::Effect;
use super::keymap::Key;
use super::remembered::Memorable;
use super::{act, adding, typed};

/// A key goes to the topmost dialog, which was taken off.
pub(super) fn key(app: &mut App, dialog: Dialog, key: KeyEvent) -> Vec<Effect> {
    let interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('z') {
        app.dialogs.push(dialog);
        return vec![Effect::Suspend];
    }
    match dialog {
        Dialog::Planning { ticket, request, because, since } => {
            if interrupt || matches!(key.code, KeyCode::Esc | KeyCode::Char('q')) {
                return vec![Effect::Forget(ticket)];
            }
            app.dialogs.push(Dialog::Planning { ticket, request, because, since });
            Vec::new()
        }
        Dialog::Add(add) if interrupt => adding::key(app, add, KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)),
        _ if interrupt => {
            match dialog {
                Dialog::Prompt(prompt) => close_prompt(app, &prompt),
                Dialog::Confirm(confirm) => declined(app, &confirm),
                _ => {}
            }
            Vec::new()
        }
        Dialog::Add(add) => adding::key(app, add, key),
        Dialog::Cut(requests) => match key.code {
            KeyCode::Enter | KeyCode::Char('y') => requests.into_iter().flat_map(|request| app.plan(request)).collect(),
            KeyCode::Char('f') => {
                app.cut.clear();
                app.remember().into_iter().collect()
            }
            KeyCode::Esc | KeyCode::Char('n' | 'q') => Vec::new(),
            _ => {
                app.dialogs.push(Dialog::Cut(requests));
                Vec::new()
            }
        },
        Dialog::Confirm(confirm) => confirmed(app, confirm, key),
        Dialog::Prompt(prompt) => prompted(app, prompt, key),
        Dialog::Palette(mut palette) => match palette.key(key) {
            palette::Choice::Closed => Vec::new(),
            palette::Choice::Command(command) => {
                let line = Memorable::Typed(command.entry().id.to_owned());
                let kept = (!palette.help).then(|| app.keep(line));
                kept.into_iter().chain(act::act(app, command)).collect()
            }
            palette::Choice::Typed(text) => {
                // What was no command may be anything, and is not kept.
                let kept = typed::is_verb(app, &text).then(|| app.keep(Memorable::Typed(text.clone())));
                kept.into_iter().chain(typed::typed(app, &text)).collect()
            }
            palette::Choice::Stay => {
                app.dialogs.push(Dialog::Palette(palette));
                Vec::new()
            }
        },
        Dialog::Jump(jump) => super::jumping::key(app, jump, key),
        Dialog::Form(mut form) => match form.key(key) {
            form::Choice::Closed => Vec::new(),
            form::Choice::Save(draft) => super::publishing::save(app, form, *draft),
            form::Choice::Stay => {
                app.dialogs.push(Dialog::Form(form));
                Vec::new()
            }
        },
        Dialog::Flags(mut form) => match form.key(key) {
            flag_form::Choice::Closed => Vec::new(),
            flag_form::Choice::Done => match form.subject {
                Subject::Serve => super::serving::start(app, form),
                Subject::Follow => super::following::save(app, form),
            },
            flag_form::Choice::Stay => {
                app.dialogs.push(Dialog::Flags(form));
                Vec::new()
            }
        },
        Dialog::RuleForm(form) => super::ruling::key(app, form, key),
        Dialog::Menu(mut menu) => match menu.key(key) {
            menu::Choice::Closed => Vec::new(),
            menu::Choice::Chosen(item) => act::copied(app, item),
            menu::Choice::Stay => {
                app.dialogs.push(Dialog::Menu(menu));
                Vec::new()
            }
        },
        Dialog::Actions(mut menu) => match menu.key(key) {
            actions::Choice::Closed => Vec::new(),
            actions::Choice::Command(command) => act::act(app, command),
            actions::Choice::Stay => {
                app.dialogs.push(Dialog::Actions(menu));
                Vec::new()
            }
        },
        Dialog::Message { title, rows, scroll } => {
            let dialog = Dialog::Message { title, rows, scroll };
            let Some(moved) = scrolled(app, &dialog, scroll, key) else { return Vec::new() };
            if let Dialog::Message { title, rows, .. } = dialog {
                app.dialogs.push(Dialog::Message { title, rows, scroll: moved });
            }
            Vec::new()
        }
        Dialog::Page { page, scroll } => paged(app, page, scroll, key),
        Dialog::Leave => match key.code {
            KeyCode::Char('f') => {
                // It is the last picture until the jobs have ended.
                let running = crate::text::count(app.jobs.begun().count() as u64, "job ends", "jobs end");
                app.hint(format!("Leaving when {running}; the log has what happens until then"));
                vec![Effect::Quit { finish: true }]
            }
            KeyCode::Char('c') => vec![Effect::Quit { finish: false }],
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('s' | 'n' | 'q') => Vec::new(),
            _ => {
                app.dialogs.push(Dialog::Leave);
                Vec::new()
            }
        },
    }
}

/// A page stays open while what it shows is changed from it.
fn paged(app: &mut App, page: Page, scroll: u16, key: KeyEvent) -> Vec<Effect> {
    let dialog = Dialog::Page { page, scroll };
    if let Some(scroll) = scrolled(app, &dialog, scroll, key) {
        app.dialogs.push(Dialog::Page { page, scroll });
        return Vec::new();
    }
    app.dialogs.push(dialog);
    if app.keymap.command(Key::from(key), app.contexts()) == Some(Command::Serve) {
        return act::act(app, Command::Serve);
    }
    let letter = match key.code {
        KeyCode::Char(letter) if page == Page::Following => Some(letter),
        _ => None,
    };
    if let Some(effects) = letter.and_then(|letter| super::following::key(app, letter)) {
        return effects;
    }
    app.dialogs.pop();
    Vec::new()
}

/// Where a key scrolls a dialog that is text, if it does.
fn scrolled(app: &App, dialog: &Dialog, scroll: u16, key: KeyEvent) -> Option<u16> {
    let (end, page) = super::view::dialog_reach(app, dialog);
    let scroll = scroll.min(end);
    let moved = match key.code {
        KeyCode::Down | KeyCode::Char('j') => scroll.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => scroll.saturating_add(page),
        KeyCode::PageUp => scroll.saturating_sub(page),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => end,
        _ => return None,
    };
    Some(moved.min(end))
}

fn confirmed(app: &mut App, confirm: Box<confirm::Confirm>, key: KeyEvent) -> Vec<Effect> {
    let early = app.now < confirm.answers_from;
    let scroll = confirm.scroll;
    let dialog = Dialog::Confirm(confirm);
    let moved = scrolled(app, &dialog, scroll, key);
    let Dialog::Confirm(mut confirm) = dialog else { return Vec::new() };
    if early || moved.is_some() {
        confirm.scroll = moved.unwrap_or(scroll);
        app.dialogs.push(Dialog::Confirm(confirm));
        return Vec::new();
    }
    match confirm.key(key) {
        Answer::Yes if confirm.described.nothing.is_none() => {
            let confirm::Confirm { plan, request, job, .. } = *confirm;
            app.answered();
            app.start_as(job, plan, request)
        }
        Answer::Yes | Answer::No => {
            declined(app, &confirm);
            Vec::new()
        }
        Answer::Stay => {
            app.dialogs.push(Dialog::Confirm(confirm));
            Vec::new()
        }
    }
}

/// Nothing is to be done of what was shown.
fn declined(app: &mut App, confirm: &confirm::Confirm) {
    if let Some(job) = confirm.job {
        app.decline(job);
    }
    app.answered();
}

fn prompted(app: &mut App, mut prompt: prompt::Prompt, key: KeyEvent) -> Vec<Effect> {
    match prompt.key(key) {
        prompt::Choice::Closed => {
            close_prompt(app, &prompt);
            Vec::new()
        }
        prompt::Choice::Done(text) => match prompt.purpose {
            Purpose::Images | Purpose::Filter | Purpose::Search => Vec::new(),
            Purpose::SaveFile => super::looking::save(app, &text),
        },
        prompt::Choice::Changed => {
            let (text, purpose) = (prompt.field.value().to_owned(), prompt.purpose);
            app.dialogs.push(Dialog::Prompt(prompt));
            act::set_text(app, purpose, &text);
            Vec::new()
        }
        prompt::Choice::Stay => {
            app.dialogs.push(Dialog::Prompt(prompt));
            Vec::new()
        }
    }
}

/// A filter that is given up shows everything again.
fn close_prompt(app: &mut App, prompt: &prompt::Prompt) {
    act::set_text(app, prompt.purpose, "");
}
