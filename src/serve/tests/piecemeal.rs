//! Parts of a layer that was left elsewhere: the leaves around them come, and nothing in front of them is waited for.

use cid::Cid;

use super::pending::{LARGE, LARGE_LAYER, LEAF, Served, layer, leaves, path_of, read};
use super::*;

/// How often each leaf of the large layer was asked for.
fn asked(served: &Served) -> Vec<usize> {
    leaves(LARGE).iter().map(|leaf| served.gateway.times_asked(leaf)).collect()
}

/// Of so many leaves, how often each of these was asked for: once.
fn once(numbers: &[usize]) -> Vec<usize> {
    (0..LARGE_LAYER.div_ceil(LEAF)).map(|number| usize::from(numbers.contains(&number))).collect()
}

async fn part(served: &Served, range: &str) -> Response {
    served.ask(Method::GET, &path_of(LARGE), Some(&format!("bytes={range}"))).await
}

/// A part that has to come whole and right.
async fn reads(served: &Served, first: usize, last: usize) {
    let response = part(served, &format!("{first}-{last}")).await;
    assert_eq!(response.status(), 206);
    let body = tokio::time::timeout(PATIENCE, response.bytes()).await.expect("bytes in time").unwrap();
    assert!(body == layer(LARGE)[first..=last], "{first}-{last}");
}

fn first_leaf() -> Cid {
    leaves(LARGE)[0]
}

#[tokio::test]
async fn a_part_deep_in_a_layer_waits_for_nothing_before_it() {
    let served = Served::lazy().await;
    served.gateway.hold([first_leaf()]);
    reads(&served, 7 * LEAF + 5, 7 * LEAF + 90).await;
    assert_eq!(asked(&served), once(&[7]));
    // It is here now, also for who asks for more of it; a part over a border takes both leaves.
    reads(&served, 7 * LEAF, 8 * LEAF - 1).await;
    assert_eq!(asked(&served), once(&[7]));
    reads(&served, 9 * LEAF - 4, 9 * LEAF + 3).await;
    assert_eq!(asked(&served), once(&[7, 8, 9]));
    // The end, as clients of eStargz ask for it.
    let suffix = part(&served, "-9").await;
    assert!(suffix.bytes().await.unwrap() == layer(LARGE)[LARGE_LAYER - 9..]);
    assert_eq!(asked(&served), once(&[7, 8, 9, 11, 12]));
    assert!(!served.stored(LARGE).exists());
}

#[tokio::test]
async fn several_parts_come_in_any_order() {
    let served = Served::lazy().await;
    served.gateway.hold([first_leaf()]);
    let places = [(11 * LEAF, 11 * LEAF + 1), (3 * LEAF - 2, 3 * LEAF + 2), (3 * LEAF + 50, 3 * LEAF + 60)];
    let set = places.map(|(first, last)| format!("{first}-{last}")).join(",");
    let response = part(&served, &set).await;
    assert_eq!(response.status(), 206);
    let body = tokio::time::timeout(PATIENCE, response.bytes()).await.expect("bytes in time").unwrap();
    for (first, last) in places {
        let head = format!("Content-Range: bytes {first}-{last}/{LARGE_LAYER}\r\n\r\n");
        let part = [head.as_bytes(), &layer(LARGE)[first..=last]].concat();
        assert!(body.windows(part.len()).any(|window| window == part), "{first}-{last}");
    }
    assert_eq!(asked(&served), once(&[2, 3, 11]));
}

#[tokio::test]
async fn the_whole_takes_what_parts_have_brought() {
    let served = Served::lazy().await;
    for number in [0, 1, 4] {
        reads(&served, number * LEAF + 1, number * LEAF + 2).await;
    }
    // While it comes, a part behind it is answered, and one that it has is taken from there.
    served.gateway.hold([leaves(LARGE)[3]]);
    let mut whole = served.get(&path_of(LARGE)).await;
    let mut body = read(&mut whole, 3 * LEAF).await;
    reads(&served, 2 * LEAF + 9, 2 * LEAF + 10).await;
    reads(&served, 10 * LEAF, 10 * LEAF + 9).await;
    assert_eq!(asked(&served)[..4], once(&[0, 1, 2, 3])[..4]);
    served.gateway.hold([]);
    body.extend(read(&mut whole, LARGE_LAYER - 3 * LEAF).await);
    assert!(body == layer(LARGE));
    assert!(served.stored(LARGE).exists());
    let before = asked(&served);
    reads(&served, 5 * LEAF, 5 * LEAF + 9).await;
    assert_eq!(asked(&served), before);
}

#[tokio::test]
async fn when_most_has_come_the_rest_does_too() {
    let served = Served::lazy().await;
    for number in 4..11 {
        assert!(!served.stored(LARGE).exists());
        reads(&served, number * LEAF, number * LEAF + 5).await;
    }
    let last = leaves(LARGE)[12];
    served.gateway.is_asked_for(&[first_leaf(), last]).await;
    let stored = async {
        while !served.stored(LARGE).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.expect("all of it comes");
    // What was here is not asked for again, and the former readers' leaves are those of the blob.
    reads(&served, 0, 9).await;
    assert!(served.get(&path_of(LARGE)).await.bytes().await.unwrap() == layer(LARGE));
}

#[tokio::test]
async fn a_leaf_that_is_wrong_is_not_given_out() {
    let served = Served::lazy().await;
    let wrong = leaves(LARGE)[6];
    served.gateway.wrong.lock().unwrap().insert(wrong);
    let range = format!("{}-{}", 6 * LEAF, 6 * LEAF + 9);
    assert_eq!(refusal(part(&served, &range).await).await.0, 500);
    // Behind a right one, the answer is cut.
    let cut = part(&served, &format!("{}-{}", 6 * LEAF - 5, 6 * LEAF + 9)).await;
    assert_eq!(cut.status(), 206);
    assert!(cut.bytes().await.is_err());
    served.gateway.wrong.lock().unwrap().clear();
    reads(&served, 6 * LEAF, 6 * LEAF + 9).await;
}
