//! The pages in a real browser: what they find, copy and show, and what they never do.
//!
//! Knows what a reader sees; must not know how pages are made.

use crate::cli::Roadstead;
use crate::images::{HOSTILE, Layout};
use crate::peers::chromium::Chromium;
use crate::peers::docker_registry::DockerRegistry;
use crate::peers::nginx::Nginx;
use crate::peers::{Directory, web};
use roadstead::image::RepositoryName;
use roadstead::site::{self, Head, IndexRow, Listing, PageLink, SITE_VERSION, Totals, paging, paths, records};
use serde_json::json;
use std::path::Path;

/// Nothing was complained about, and nobody else was asked.
#[track_caller]
fn is_clean(browser: &Chromium, host: &str) {
    assert_eq!(browser.console(), [""; 0]);
    let requests = browser.requests();
    assert!(!requests.is_empty());
    for url in requests {
        // The browser's own empty page is among them.
        let is_own = url.starts_with("data:") || url.starts_with("chrome://");
        assert!(is_own || url.starts_with(&format!("http://{host}/")), "{url}");
    }
}

#[test]
fn a_reader_finds_an_image_and_copies_the_command_that_pulls_it() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::multi_platform(), "1", "busybox");
    registry.push(&Layout::busybox(), "1", "team/other");
    let roadstead = Roadstead::new();
    for name in ["busybox", "team/other"] {
        roadstead.add(&format!("{}/{name}:1", registry.host()));
    }
    roadstead.ok(&["config", "set", "description", "Images of the lab"]);
    let serving = roadstead.serve();
    let browser = Chromium::start(1280);
    browser.allow_pasting();

    browser.open(&format!("{}/", serving.url));
    browser.wait("document.body.classList.contains('registry')");
    assert_eq!(browser.text(".lead"), "Images of the lab");
    assert!(browser.text(".totals").starts_with("2 repositories · 2 tags · "));
    browser.enter("#search", "box BUSY");
    browser.wait("document.getElementById('found').textContent === '1 repository'");
    browser.enter("#search", "nowhere");
    browser.wait("document.getElementById('found').textContent === 'Nothing found'");
    browser.enter("#search", "busybox");
    browser.wait("document.querySelectorAll('tr[data-name]:not([hidden])').length === 1");
    browser.click("tr[data-name]:not([hidden]) a");

    browser.wait("document.body.classList.contains('registry')");
    let name = format!("{}/{}/busybox:1", serving.host(), registry.published());
    let command = format!("podman pull --tls-verify=false {name}");
    assert_eq!(browser.text(".podman pre"), command);
    browser.click(".podman pre + button");
    browser.wait("document.querySelector('.podman pre + button').textContent === 'Copied'");
    assert_eq!(browser.run("return navigator.clipboard.readText()"), json!(command));
    browser.click("label[for=crane]");
    assert_eq!(browser.text(".crane pre"), format!("crane pull --insecure {name} image.tar"));

    browser.click("article.tag summary");
    browser.click("details.platform summary");
    browser.wait("document.querySelector('details.platform').innerText.includes('title=greeting')");
    assert!(browser.text("ol.layers").contains("COPY busybox /bin"));
    browser.click("article.tag > button");
    browser.wait("document.querySelector('article.tag > button').textContent === 'Copied'");
    let digest = browser.run("return document.querySelector('article.tag').dataset.digest");
    assert_eq!(browser.run("return navigator.clipboard.readText()"), digest);
    is_clean(&browser, serving.host());
}

#[test]
fn what_an_image_says_stays_text() {
    let registry = DockerRegistry::plain();
    registry.push(&Layout::hostile(), "1", "hostile");
    let roadstead = Roadstead::new();
    roadstead.add(&format!("{}/hostile:1", registry.host()));
    let serving = roadstead.serve();
    let browser = Chromium::start(390);
    browser.open(&format!("{}/repositories/{}/hostile/_repository.html", serving.url, registry.published()));
    browser.click("article.tag summary");
    browser.click("details.platform summary");
    browser.wait("document.querySelector('.command')");
    assert!(browser.text("ol.layers").contains(HOSTILE));
    assert!(browser.text("details.platform dl").contains(HOSTILE));
    assert_eq!(browser.run("return [document.querySelectorAll('main img').length, document.title]")[0], json!(0));
    assert_eq!(browser.run("return window.reached === undefined"), json!(true));
    is_clean(&browser, serving.host());
    // Had it become an element, the policy would have stopped it.
    let script = "const made = document.createElement('script'); made.textContent = 'window.reached = 1'; \
                  document.body.append(made); return window.reached === undefined";
    assert_eq!(browser.run(script), json!(true));
    assert!(browser.console().iter().any(|line| line.contains("Content Security Policy")));
    let narrow = "return document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(browser.run(narrow), json!(true), "a phone scrolls sideways");
}

/// What publishers attach, as cosign, syft and BuildKit write it.
fn documents() -> Layout {
    let statement = json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "greeting", "digest": {"sha256": "ab"}}],
        "predicate": {"builder": {"id": "https://builder.example/1"}, "materials": [{"uri": "pkg:docker/alpine@3.20"}]}});
    let bill = json!({"spdxVersion": "SPDX-2.3", "packages": [
        {"name": "openssl", "versionInfo": "3.0.15"}, {"name": HOSTILE, "versionInfo": "1"},
        {"name": "the image", "primaryPackagePurpose": "CONTAINER"}]});
    let payload = |digest: &str| {
        json!({"critical": {"identity": {"docker-reference": "registry.example/greeting"},
            "image": {"docker-manifest-digest": digest}, "type": "cosign container image signature"}, "optional": null})
        .to_string()
        .into_bytes()
    };
    Layout::with_documents(statement.to_string().as_bytes(), payload, bill.to_string().as_bytes())
}

#[test]
fn signatures_and_sboms_are_shown_on_a_server_and_below_a_path() {
    let registry = DockerRegistry::plain();
    registry.push_everything(&documents(), "greeting");
    let roadstead = Roadstead::new();
    roadstead.add(&format!("{}/greeting:1", registry.host()));
    let serving = roadstead.serve();
    let tree = roadstead.path("exported");
    roadstead.ok(&["export", tree.to_str().unwrap()]);
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nginx.conf");
    let tree = tree.display().to_string();
    let nginx = Nginx::start(&configuration, &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", &tree)]);
    let browser = Chromium::start(1280);
    for host in [serving.host().to_owned(), nginx.host()] {
        browser.open(&format!("http://{host}/repositories/{}/greeting/_repository.html", registry.published()));
        browser.wait("document.body.classList.contains('registry')");
        browser.click("article.tag summary");
        browser.click("details.referrers > summary");
        browser
            .run("document.querySelectorAll('details.referrer').forEach((row) => { row.open = true; }); return null");
        let said = "Array.from(document.querySelectorAll('details.referrer'), (row) => row.innerText).join()";
        for words in [
            "2 in all:",
            "openssl 3.0.15",
            "registry.example/greeting",
            "https://builder.example/1",
            "pkg:docker/alpine@3.20",
        ] {
            browser.wait(&format!("{said}.includes({words:?})"));
        }
        let said = browser.run(&format!("return {said}"));
        assert!(said.as_str().unwrap().contains(HOSTILE), "{said}");
        assert_eq!(browser.run("return document.querySelectorAll('.referrer .note').length"), json!(0));
        is_clean(&browser, &host);
    }
}

/// A tree of so many repositories, as far as its front page needs it.
fn many_repositories(directory: &Directory, number: usize) {
    let head = Head { name: None, description: None, site_version: SITE_VERSION };
    let mut names: Vec<RepositoryName> =
        (0..number).map(|number| format!("ghcr.io/team-{}/app-{number}", number % 97).parse().unwrap()).collect();
    names.sort();
    let list: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let mut files =
        vec![site::File { path: paths::STYLE_CSS.into(), bytes: site::style(SITE_VERSION).as_bytes().to_vec() }];
    let mut links = Vec::new();
    for span in paging::pages(&list) {
        let names = &names[span.names];
        let rows: Vec<IndexRow> = names
            .iter()
            .map(|name| IndexRow {
                name: name.clone(),
                alias: None,
                tags: 3,
                platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
                registry: Some("ghcr.io".into()),
                newest: Some("1.27.5".parse().unwrap()),
                size: 187 << 20,
                description: Some("One of many".into()),
            })
            .collect();
        files.push(site::repositories_page(&head, &span.key, &rows));
        files.push(records::repositories_record(&span.key, names));
        let (first, last) = (names[0].to_string(), names[names.len() - 1].to_string());
        links.push(PageLink { key: span.key, first, last, count: names.len() as u64 });
    }
    let totals = Totals { repositories: number as u64, tags: 3 * number as u64, size: 187 << 20 };
    files.push(site::index_page(&head, &totals, &Listing::Pages(&links)));
    files.push(records::catalog_record("unixfs-v1-2025", &head, &links));
    for file in files {
        directory.write(&file.path, file.bytes);
    }
}

#[test]
fn ten_thousand_repositories_are_searched_as_one_types() {
    let directory = Directory::new();
    many_repositories(&directory, 10_000);
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nginx.conf");
    let tree = directory.path().display().to_string();
    let nginx = Nginx::start(&configuration, &[("127.0.0.1:5050", "127.0.0.1:PORT"), ("/srv/roadstead", &tree)]);
    let front = web::get(&format!("http://{}/", nginx.host())).expect(200);
    assert!(front.body.len() < 64 << 10, "{} bytes", front.body.len());
    let browser = Chromium::start(1280);
    browser.open(&format!("http://{}/", nginx.host()));
    browser.wait("document.body.classList.contains('registry')");
    browser.enter("#search", "app-9999");
    browser.wait("document.getElementById('found').textContent === '1 repository'");
    browser.wait("document.querySelectorAll('#results a').length === 1");
    let link = browser.run("return document.querySelector('#results a').getAttribute('href')");
    assert!(link.as_str().unwrap().ends_with("/repositories/ghcr.io/team-8/app-9999/_repository.html"), "{link}");
    browser.enter("#search", "app");
    browser.wait("document.getElementById('found').textContent === '10000 repositories, the first 100 shown'");
    is_clean(&browser, &nginx.host());
}
