//! The seeds of the fuzzer as a test: each goes through the function of its target, without the fuzzer.

use std::{fs, panic, path::Path};

/// The name of a target, which is that of its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Gives every seed of these targets to their functions.
pub fn replay(targets: &[Target]) {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut corpora = crate_folder
        .ancestors()
        .map(|up| up.join("tests/fuzz/corpus"));
    let corpora = corpora.find(|path| path.is_dir());
    let corpora = corpora.expect("the folder of the corpora");
    for (name, function) in targets {
        let mut seeds = 0;
        for entry in fs::read_dir(corpora.join(name)).expect("a folder of seeds") {
            let path = entry.expect("a seed").path();
            // The fuzzer may have left others beside them.
            if path.extension().is_none_or(|extension| extension != "seed") {
                continue;
            }
            let seed = fs::read(&path).expect("a seed");
            let run = panic::catch_unwind(|| function(&seed));
            assert!(run.is_ok(), "{}", path.display());
            seeds += 1;
        }
        assert!(seeds > 0, "`{name}` has no seeds");
    }
}
