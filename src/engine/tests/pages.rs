//! What the pages say, and that they say it after every change.

use super::*;
use crate::error::Kind;

impl TestEngine {
    fn html(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.engine.served_page(path).unwrap().unwrap()).into_owned()
    }
}

/// The part of a page that is about one tag.
fn row<'a>(page: &'a str, tag: &str) -> &'a str {
    let start = page.find(&format!("<details id=\"{tag}\">")).unwrap();
    page[start..].split("</article>").next().unwrap()
}

#[tokio::test]
async fn a_tag_that_moves_is_no_longer_the_same_as_another() {
    let test = TestEngine::new().await;
    for (tag, words) in [("1.9.0", "old"), ("1.10.0", "new"), ("latest", "old")] {
        test.put("app", tag, &index(words));
    }
    test.add(&["app:1.9.0", "app:1.10.0", "app:latest"]).await;
    let path = format!("repositories/{}/_repository.html", test.published("app"));
    let before = test.html(&path);
    let order = ["latest", "1.10.0", "1.9.0"].map(|tag| before.find(&format!("id=\"{tag}\"")).unwrap());
    assert!(order.is_sorted(), "{order:?}");
    assert!(row(&before, "latest").contains("same as 1.9.0") && row(&before, "1.9.0").contains("same as latest"));
    assert!(!row(&before, "1.10.0").contains("same as"));
    test.put("app", "latest", &index("new"));
    test.add(&["app:latest"]).await;
    let after = test.html(&path);
    assert!(row(&after, "latest").contains("same as 1.10.0") && row(&after, "1.10.0").contains("same as latest"));
    assert!(!row(&after, "1.9.0").contains("same as"));
    test.check();
    test.remove("app:latest").await;
    assert!(!row(&test.html(&path), "1.10.0").contains("same as"));
    test.check();
}

#[tokio::test]
async fn the_front_page_says_what_there_is() {
    let test = TestEngine::new().await;
    test.put("app", "1.9.0", &index("one"));
    test.put("app", "1.10.0", &index("two"));
    test.add(&["app:1.9.0"]).await;
    let first = test.html("index.html");
    assert!(first.contains("1 repository · 1 tag · ") && first.contains("<td>1.9.0</td>"));
    test.add(&["app:1.10.0"]).await;
    let front = test.html("index.html");
    assert!(front.contains("1 repository · 2 tags · ") && front.contains("<td>1.10.0</td>"));
    test.check();

    let root = test.root();
    test.engine.describe("Images of the <lab>", &Job::new().0).await.unwrap();
    assert!(test.html("index.html").contains("<p class=\"lead\">Images of the &lt;lab&gt;</p>"));
    assert!(test.html("catalog.json").contains("Images of the <lab>"));
    assert_ne!(test.root(), root);
    test.check();
    for bad in ["two\nlines", " padded", "\u{202e}", &"x".repeat(281)] {
        assert_eq!(test.engine.describe(bad, &Job::new().0).await.unwrap_err().kind(), Kind::Usage, "{bad}");
    }
    test.engine.describe("", &Job::new().0).await.unwrap();
    assert_eq!(test.root(), root);
}

#[tokio::test]
async fn long_lists_of_tags_are_pages_that_lead_to_one_another() {
    let test = TestEngine::new().await;
    let tags: Vec<String> = (0..150).map(|number| format!("1.{number}.0")).collect();
    for tag in &tags {
        test.put("app", tag, &image("linux/amd64", tag));
    }
    let names: Vec<String> = tags.iter().map(|tag| format!("app:{tag}")).collect();
    test.add(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let directory = format!("repositories/{}", test.published("app"));
    let mut seen = Vec::new();
    let mut page = String::from("_tags-0.html");
    loop {
        let html = test.html(&format!("{directory}/{page}"));
        seen.extend(html.split("<details id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        let Some((before, _)) = html.split_once("\" rel=\"next\"") else { break };
        page = before.rsplit('"').next().unwrap().to_owned();
    }
    let mut sorted = tags.clone();
    sorted.reverse();
    assert_eq!(seen, sorted);
    let front = test.html(&format!("{directory}/_repository.html"));
    assert!(front.contains("All tags") && front.contains("<details id=\"1.149.0\">"));
    test.check();
    test.put("app", "1.75.0", &image("linux/amd64", "moved"));
    test.add(&["app:1.75.0"]).await;
    test.check();
    test.remove("app:1.149.0").await;
    test.remove("app:1.3.0").await;
    test.check();
}

#[tokio::test]
async fn the_newest_image_says_what_a_repository_is() {
    const KEY: &str = "org.opencontainers.image.description";
    let test = TestEngine::new().await;
    let says = |tag: &str, words: &str| {
        let image = ImageBuilder::new(platform("linux/amd64")).layer(&[("tag", tag)]).label(KEY, words).build();
        test.put("app", tag, &image);
    };
    says("1.0.0", "An old\n server");
    test.add(&["app:1.0.0"]).await;
    let page = format!("repositories/{}/_repository.html", test.published("app"));
    for path in ["index.html", &page] {
        assert!(test.html(path).contains(">An old server<"), "{path}");
    }
    says("1.1.0", "A new <server>");
    says("latest", "The latest one");
    test.add(&["app:1.1.0"]).await;
    assert!(test.html("index.html").contains(">A new &lt;server&gt;<"));
    test.check();
    test.add(&["app:latest"]).await;
    assert!(test.html("index.html").contains(">The latest one<") && test.html(&page).contains(">The latest one<"));
    // The annotation of a manifest is more than a label of its configuration.
    let image = ImageBuilder::new(platform("linux/amd64")).label(KEY, "a label").annotation(KEY, "Annotated").build();
    test.put("app", "latest", &image);
    test.add(&["app:latest"]).await;
    assert!(test.html(&page).contains(">Annotated<"));
    test.check();
    test.remove("app:latest").await;
    test.remove("app:1.1.0").await;
    assert!(test.html(&page).contains(">An old server<"));
    test.check();
}
