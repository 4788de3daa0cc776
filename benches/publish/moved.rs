//! One tag moved, beside what Kubo does by itself; rolling back; and several changes in one publication.

use std::path::Path;

use roadstead::error::Result;

use super::{Bench, IMAGES, Kubo, MANY, Published, Table, failure, repository_name, run, seconds, settle, spread};

/// One tag moved: publish beside `ipfs add -r` of the exported tree.
pub(crate) async fn measure(table: &mut Table, below: &Path, rounds: usize) -> Result<()> {
    let mut of_first = 0.0;
    for (place, shape) in [IMAGES, MANY].iter().enumerate() {
        eprintln!("publish: filling {}", shape.what);
        let bench = Bench::new(below).await?;
        bench.fill(shape).await?;
        let (node, other) = (Kubo::start(below)?, Kubo::start(below)?);
        bench.target(&node)?;
        bench.publish()?;
        let first_root = bench.root()?;
        let tree = bench.directory.path().join("tree");
        let tree_text = tree.display().to_string();
        let compared = place == 0;
        if compared {
            run(&mut bench.program(&["export", &tree_text]))?;
            other.ipfs(&["add", "-r", "-Q", "--pin=false", &tree_text])?;
        }
        let (mut ours, mut until_pinned, mut theirs, mut efficiency) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut root = first_root.clone();
        for round in 0..rounds {
            let repository = repository_name((round * 37 + 5) % shape.repositories);
            let layers = [("base 0".to_owned(), shape.shared), (format!("moved {round}"), IMAGES.own)];
            bench.put_and_add(&repository, "1.3", &layers).await?;
            settle()?;
            let Published { took, pinned, sent } = bench.publish_in_steps()?;
            ours.push(took.as_secs_f64());
            until_pinned.push(pinned.as_secs_f64());
            let now = bench.root()?;
            let missing = node.bytes_below(&[&root, &now])? - node.bytes_below(&[&root])?;
            efficiency.push(sent / missing);
            root = now;
            if compared {
                run(&mut bench.program(&["export", &tree_text]))?;
                settle()?;
                let (added, took) = other.ipfs(&["add", "-r", "-Q", "--pin=false", &tree_text])?;
                theirs.push(took.as_secs_f64());
                if added.trim() != root {
                    return Err(failure(format!("`ipfs add -r` makes {}, and the root is {root}", added.trim())));
                }
            }
        }
        let (median, ..) = spread(&until_pinned);
        if compared {
            let faster = spread(&theirs).0 / median;
            of_first = median;
            table.row(
                "one tag moved among 1 000 images (3.5 GB logical): start, plan, hand over and pin / `ipfs add -r` of the tree",
                &seconds(&until_pinned),
                &seconds(&theirs),
                &format!("{faster:.0} × faster"),
                "≥ 100 × faster",
                faster >= 100.0,
            );
            let faster = spread(&theirs).0 / spread(&ours).0;
            table.row(
                "the same to the end of `publish`: every block that links others and 32 leaves read back, too",
                &seconds(&ours),
                &seconds(&theirs),
                &format!("{faster:.0} × faster"),
                "",
                true,
            );
        } else {
            let ratio = median / of_first;
            let value = format!("{ratio:.2} × the time at 1 000");
            table.row(
                "until it is pinned, among 10 000 images",
                &seconds(&until_pinned),
                "",
                &value,
                "≤ 1.5 ×",
                ratio <= 1.5,
            );
        }
        let (median, least, most) = spread(&efficiency);
        table.row(
            &format!("bytes sent / bytes missing, {}", shape.what),
            "",
            "",
            &format!("{median:.4} ({least:.4}–{most:.4})"),
            "≤ 1.02",
            most <= 1.02,
        );
        let begun = run(&mut bench.program(&["rollback", &first_root, "--yes"]))?.1.as_secs_f64();
        table.row(&format!("rollback, {}", shape.what), &format!("{begun:.3} s"), "", "", "< 2 s", begun < 2.0);
        run(&mut bench.program(&["publish", "--yes"]))?;
        if compared {
            together(table, &bench, rounds).await?;
        }
    }
    Ok(())
}

/// A new repository, a moved tag and a removed repository: each alone, and all three in one publication.
async fn together(table: &mut Table, bench: &Bench, rounds: usize) -> Result<()> {
    let mut kinds: [Vec<f64>; 4] = Default::default();
    let base = || ("base 0".to_owned(), IMAGES.shared);
    for round in 0..rounds {
        let new = format!("a-new/r{round}");
        bench.put_and_add(&new, "1", &[base(), (format!("new {round}"), IMAGES.own)]).await?;
        kinds[0].push(bench.publish()?.as_secs_f64());
        bench.put_and_add("team-0/r7", "1.1", &[base(), (format!("again {round}"), IMAGES.own)]).await?;
        kinds[1].push(bench.publish()?.as_secs_f64());
        bench.remove(&new).await?;
        kinds[2].push(bench.publish()?.as_secs_f64());
        let (going, coming) = (format!("b-going/r{round}"), format!("a-coming/r{round}"));
        bench.put_and_add(&going, "1", &[base(), (format!("going {round}"), IMAGES.own)]).await?;
        bench.publish()?;
        bench.put_and_add(&coming, "1", &[base(), (format!("coming {round}"), IMAGES.own)]).await?;
        bench.put_and_add("team-0/r8", "1.1", &[base(), (format!("once more {round}"), IMAGES.own)]).await?;
        bench.remove(&going).await?;
        kinds[3].push(bench.publish()?.as_secs_f64());
    }
    let [new, moved, removed, all] = kinds.map(|times| spread(&times).0);
    let sum = new + moved + removed;
    table.row(
        "a new repository, a moved tag and a removed repository in one publication / the sum of the three alone",
        &format!("{all:.3} s"),
        &format!("{new:.3} + {moved:.3} + {removed:.3} = {sum:.3} s"),
        &format!("{:.2} ×", all / sum),
        "≤ 1 ×",
        all <= sum,
    );
    Ok(())
}
