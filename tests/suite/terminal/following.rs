//! Publishing without a daemon and following, in two interfaces: all of it set up by forms, seen, and undone.

use super::session::Session;
use super::story::fill;
use super::{open, with_image};
use crate::cli::Roadstead;
use crate::peers::wait_for;

const SIZE: (u16, u16) = (120, 40);

/// Serves by the form, over HTTP alone; gives the URL.
#[track_caller]
fn serve(session: &mut Session) -> String {
    session.type_in("S");
    session.see("Serve the registry");
    fill(session, "Listen on", "127.0.0.1:0");
    fill(session, "IPFS", "yes");
    fill(session, "Swarm", "no");
    session.type_in("\r");
    session.see("giving out to IPFS; S stops it");
    let text = session.text();
    let begin = text.find("Serving on http://").expect("a URL") + "Serving on ".len();
    text[begin..].split(',').next().expect("a URL").trim().trim_end_matches('/').to_owned()
}

#[test]
fn a_registry_is_published_followed_and_left_in_the_interface_alone() {
    let (publisher, _layout) = with_image();
    let mut here = open(&publisher, SIZE, &[]);
    here.see_selected("team/app");
    here.type_in("3n");
    here.see("New target");
    fill(&mut here, "Name", "home");
    fill(&mut here, "IPNS key", "self");
    here.type_in("\r");
    here.see("Saved home");
    here.type_in("p");
    here.see("Publish?");
    here.type_in("\r");
    here.see("publish: 1 target has");
    here.see("Nothing serves it. Press S.");
    here.see("points to the newest root");
    let url = serve(&mut here);
    here.see("by process");
    here.see("none heard of in the last day");

    // Another catalog, which is empty, becomes its copy.
    let follower = Roadstead::new();
    let name = publisher.json(&["target", "key", "list"])[0]["id"].as_str().expect("a key").to_owned();
    let mut there = open(&follower, SIZE, &[]);
    there.see("follows a published registry");
    there.type_in("F");
    there.see("Follow a published registry");
    there.type_in("\r");
    there.see("Name: Required: ");
    fill(&mut there, "Name", &name);
    fill(&mut there, "From", &url);
    fill(&mut there, "Look every", "1s");
    there.type_in("\r");
    there.see_selected("team/app");
    there.see(" follows ");
    assert_eq!(follower.root(), publisher.root());

    // It can't be changed, and says why.
    there.type_in("d");
    there.see(&format!("This catalog follows {name}"));
    there.type_in("\x1b");
    there.see_no("This catalog follows");

    // It gives out what it holds, and the publisher hears of it.
    serve(&mut there);
    here.see("1 follower heard of in the last day; 1 holds");

    // What is published next arrives by itself.
    publisher.ok(&["remove", "--yes", "team/second"]);
    publisher.ok(&["publish", "--yes"]);
    let log = || there.text();
    wait_for("the new root", log, || (follower.root() == publisher.root()).then_some(()));
    there.see_no("team/second");

    // Nobody has to follow for ever.
    there.type_in("F");
    there.see("state     current");
    there.type_in("x");
    there.see("Stop following?");
    there.type_in("y");
    there.see("This catalog follows nothing.");
    there.type_in("\x1b");
    there.see_no(" follows ");
    there.type_in("d");
    there.see("Remove ");
    there.type_in("\x1b");
    for session in [&mut here, &mut there] {
        session.type_in("S");
        session.see("Serving has stopped");
        session.type_in("q");
        assert_eq!(session.end(), 0);
        session.is_given_back();
    }
}
