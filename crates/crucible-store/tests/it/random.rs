//! After any sequence of operations the index equals one that is built anew.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::bench::Bench;

const WORDS: &[&str] = &["red", "green", "blue", "n1", "title"];

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize),
    Rename(usize, usize),
    Remove(usize),
    /// The vault's comparison tells everything again.
    TellAll,
    Restart,
}

const PATHS: &[&str] = &[
    "n1.md",
    "n2.md",
    "N1.md",
    "a/n1.md",
    "a/n3.md",
    "a/b/n2.md",
    "pic.png",
    "a/pic.png",
];

const TEXTS: &[&str] = &[
    "",
    "red [[n1]] #red",
    "# title\n\ngreen [[n2|two]] and ![[pic.png]] #green/dark",
    "---\naliases: [n1, other]\ntitle: title\n---\nblue [up](../n1.md) [[other]]",
    "---\nbroken: [\n---\nred green [[missing]]",
    "caf\u{e9} blue\n\n- [ ] task ^id\n\n[[a/n1#title]] #red #green",
];

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        5 => (path.clone(), 0..TEXTS.len()).prop_map(|(path, text)| Step::Write(path, text)),
        2 => (path.clone(), path.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => path.prop_map(Step::Remove),
        1 => Just(Step::TellAll),
        1 => Just(Step::Restart),
    ]
}

#[test]
fn the_index_equals_a_fresh_one_after_random_operations() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    });
    let steps = prop::collection::vec(prop::collection::vec(step(), 1..4), 1..12);
    let outcome = runner.run(&steps, |batches| runtime.block_on(check(batches)));
    outcome.unwrap();
}

async fn check(batches: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new().await;
    for batch in batches {
        let mut changes = Vec::new();
        for step in batch {
            let exists = |path: usize| bench.vault.get(PATHS[path]).is_some();
            match step {
                Step::Write(path, text) => {
                    changes.push(bench.vault.write(PATHS[path], TEXTS[text]))
                }
                Step::Rename(from, to)
                    if exists(from) && from != to && is_note(from) == is_note(to) =>
                {
                    changes.push(bench.vault.rename(PATHS[from], PATHS[to]));
                }
                Step::Remove(path) if exists(path) => changes.push(bench.vault.remove(PATHS[path])),
                Step::TellAll => {
                    let paths = bench.vault.paths();
                    changes.extend(paths.iter().map(|path| bench.vault.upsert(path)));
                }
                Step::Restart => {
                    bench.apply(std::mem::take(&mut changes)).await;
                    bench.restart().await;
                    prop_assert_eq!(bench.store.recovered(), Vec::<String>::new());
                }
                Step::Rename(..) | Step::Remove(_) => {}
            }
        }
        bench.apply(changes).await;
    }
    let (index, fresh) = (bench.content(WORDS).await, bench.fresh_content(WORDS).await);
    bench.close().await;
    prop_assert_eq!(index, fresh);
    Ok(())
}

fn is_note(path: usize) -> bool {
    PATHS[path].ends_with(".md")
}
