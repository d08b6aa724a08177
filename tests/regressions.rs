//! Property tests keep the cases that failed: written beside the test, tried first the next time.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use edgegen_tests::cases;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn a_failing_case_is_kept_and_tried_first() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("rows.rs");
    let source: &str = source.to_str().unwrap().to_owned().leak();
    // Fails for most numbers, and shrinks to the first of them.
    let run = |first: &Cell<Option<u32>>| {
        let mut runner = TestRunner::new(ProptestConfig { source_file: Some(source), ..cases(100) });
        runner.run(&any::<u32>(), |number| {
            first.set(first.get().or(Some(number)));
            if number < 1000 { Ok(()) } else { Err(TestCaseError::fail("too large")) }
        })
    };
    let first = Cell::new(None);
    assert!(run(&first).is_err());
    let kept = fs::read_to_string(folder.path().join("rows.regressions")).unwrap();
    assert!(kept.contains("cc ") && kept.contains("shrinks to 1000"), "{kept}");

    let again = [Cell::new(None), Cell::new(None)];
    assert!(again.iter().all(|first| run(first).is_err()));
    // A run without the kept case would start with another of 2³² numbers.
    assert_eq!(again, [first.clone(), first]);
    assert_eq!(fs::read_to_string(folder.path().join("rows.regressions")).unwrap(), kept, "nothing is kept twice");
}

#[test]
fn every_property_test_keeps_them() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in [tests.to_owned(), tests.join("../benches/host/tests")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Some(text) = fs::read_to_string(&path).ok().filter(|text| text.contains("\nproptest! {")) else {
                continue;
            };
            assert!(
                text.contains("#![proptest_config(cases("),
                "{}: expected #![proptest_config(cases(…))]",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}
