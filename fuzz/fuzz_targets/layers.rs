#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use roadstead::image::files::{Layer, Stage, Tree, Unpacked};

// The first two bytes say how long the lower one of two layers is.
fuzz_target!(|bytes: &[u8]| {
    let [low, high, bytes @ ..] = bytes else { return };
    let (below, above) = bytes.split_at(bytes.len().min(u16::from_le_bytes([*low, *high]).into()));
    let read = |bytes: &[u8]| Layer::read(Unpacked::new(bytes).ok()?).ok().map(Arc::new);
    let layers: Vec<_> = [below, above].into_iter().filter_map(read).collect();
    let Ok(tree) = Tree::merge(layers.clone()) else { return };
    for (place, _) in layers.iter().enumerate() {
        let stage = Stage::of(&tree, place);
        for node in tree.walk() {
            let path = tree.path(node);
            assert_eq!(tree.find(&path), Some(node), "a path leads to its place");
            let _ = (stage.standing(node), tree.stored(&path, place));
        }
    }
    let (figures, waste) = tree.figures();
    assert_eq!(figures.wasted, waste.iter().map(|waste| waste.bytes).sum::<u64>());
});
