//! The whole story in the interface, on real parts: from an empty catalog to what podman runs by a name, and back.

use super::session::Session;
use crate::images::Layout;
use crate::peers::podman::Podman;
use crate::peers::wait_for;
use crate::publishing::world::{DOMAIN, World};

const SIZE: (u16, u16) = (120, 40);

/// What podman gets and runs by the name, with no image from before.
fn pulled(world: &World, repository: &str) -> String {
    let (podman, name) = (Podman::knowing(&[DOMAIN]), world.image(repository));
    podman.pull(&name);
    podman.run_in(&name, &["cat", "/etc/greeting"])
}

/// Goes to the field of the form that is called so, and says this in it.
#[track_caller]
pub(super) fn fill(session: &mut Session, label: &str, text: &str) {
    for _ in 0..20 {
        let line = session.line_at_cursor();
        // What the form lies over is seen beside it.
        if line.split('│').any(|part| part.trim_start().starts_with(label)) {
            // What stands there goes first.
            session.type_in(&format!("\x15{text}"));
            wait_for(
                &format!("{text} in the field"),
                || session.text(),
                || session.line_at_cursor().contains(text).then_some(()),
            );
            return;
        }
        session.type_in("\t");
        wait_for("the next field", || session.text(), || (session.line_at_cursor() != line).then_some(()));
    }
    panic!("there is no field {label}:\n{}", session.text());
}

/// Publishes with the key, and waits until the outcome is on the screen; gives the root.
#[track_caller]
fn publish(session: &mut Session, world: &World, shows: &str) -> String {
    session.type_in("p");
    session.see("Publish?");
    session.see(shows);
    session.type_in("\r");
    session.see("publish: 1 target has");
    let root = world.roadstead.root();
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{root}")]);
    world.wait_for_gateway(&root);
    root
}

#[test]
fn from_nothing_to_a_name_that_podman_pulls_and_back() {
    let world = World::without_target();
    for (repository, words) in [("greeting", "hello\n"), ("harbour", "moored\n")] {
        world.registry.push(&Layout::saying(words), "1", repository);
    }
    let mut session = super::open(&world.roadstead, SIZE, &[]);
    session.see("No images yet.");
    // There is nothing to publish to: the interface says where a target is set up.
    session.type_in("p");
    session.see("No targets yet.");
    session.type_in("1");

    // Images come from the registry: one is typed, one is pasted.
    session.type_in("a");
    session.see("Add images");
    session.type_in(&format!("{}/greeting:1 --insecure", world.registry.host()));
    session.see("to fetch");
    session.type_in("\r");
    session.see("1 image added");
    session.see_selected("greeting");
    session.paste(&format!("{}/harbour:1 --insecure", world.registry.host()));
    session.see("to fetch");
    session.type_in("\r");
    session.see("/harbour");
    session.type_in("2");
    session.wait("two jobs that are done", |screen| screen.contents().matches("✓ done").count() >= 2);

    // The target, by the form.
    session.type_in("3");
    session.see("No targets yet.");
    session.type_in("n");
    session.see("New target");
    fill(&mut session, "Name", "home");
    fill(&mut session, "Node", &world.kubo.api_url);
    fill(&mut session, "DNSLink", DOMAIN);
    fill(&mut session, "DNS by", "rfc2136");
    fill(&mut session, "DNS server", &world.name_server());
    fill(&mut session, "TSIG key", world.knot.key_name());
    fill(&mut session, "TTL", "1");
    // What is missing is told at its field, and nothing is saved.
    session.type_in("\r");
    session.see("TSIG file:");
    wait_for(
        "the cursor in that field",
        || session.text(),
        || session.line_at_cursor().contains("TSIG file ").then_some(()),
    );
    fill(&mut session, "TSIG file", world.secret_file().to_str().unwrap());
    session.type_in("\r");
    session.see("Saved home");
    session.see("never published");
    session.type_in("t");
    session.see("home is ready to publish to");
    session.type_in("\x1b");
    session.see_no("home is ready to publish to ─");

    let first = publish(&mut session, &world, "/greeting");
    session.see("current");
    assert_eq!(pulled(&world, "greeting"), "hello\n");

    // The tag is removed: Enter would keep it.
    session.type_in("1");
    session.see_selected("greeting");
    session.type_in("\r");
    session.see_selected("1 ");
    session.type_in("d");
    session.see("Remove 1 image?");
    session.type_in("y");
    session.see("remove ");
    session.see_selected("harbour");
    let second = publish(&mut session, &world, "/greeting");
    assert_ne!(first, second);
    let said = Podman::knowing(&[DOMAIN]).try_pull(&world.image("greeting"));
    assert_ne!(said.code, 0, "it is still there: {said}");
    assert_eq!(pulled(&world, "harbour"), "moored\n");

    // Back to the root before, which the history has below the newest one.
    session.type_in("3G");
    session.see("pinned there and kept here");
    session.type_in("b");
    session.see("Roll back?");
    session.see("/greeting");
    session.type_in("\r");
    session.see("roll back: 1 target has");
    session.see("1 target has");
    world.wait_for_gateway(&first);
    assert_eq!(world.record(), [format!("dnslink=/ipfs/{first}")]);
    assert_eq!(pulled(&world, "greeting"), "hello\n");
    assert_eq!(world.roadstead.root(), second, "the catalog stays");
    session.see("rolled back");
    // The cursor stays on what it was on, although there is a row more.
    session.see_selected("2 repositories added");
    session.type_in("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}
