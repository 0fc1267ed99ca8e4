//! Searches are exact, and whatever happens to the files costs no more than what it touched.

use std::collections::BTreeMap;

use super::*;
use crate::vectors::kernel::unit;

const DIMENSIONS: usize = 384;

fn model() -> ModelKey {
    ModelKey {
        name: "test".to_owned(),
        revision: "1".to_owned(),
        dimensions: DIMENSIONS,
    }
}

/// Random numbers, the same ones every time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        f32::from(u16::try_from(bits >> 8).unwrap()) / 32_768.0 - 1.0
    }

    fn vector(&mut self) -> Vec<f32> {
        unit((0..DIMENSIONS).map(|_| self.next()).collect()).unwrap()
    }

    /// Vectors around some centres, as texts about some subjects are.
    fn clustered(&mut self, count: usize, centres: usize, spread: f32) -> Vec<Vec<f32>> {
        let centres: Vec<_> = (0..centres).map(|_| self.vector()).collect();
        let near = |number: usize| {
            let centre = &centres[number % centres.len()];
            let away = self.vector();
            let mixed = centre.iter().zip(&away).map(|(c, a)| c + spread * a);
            unit(mixed.collect()).unwrap()
        };
        (0..count).map(near).collect()
    }
}

fn keyed(vectors: Vec<Vec<f32>>) -> Vec<(u64, Vec<f32>)> {
    (1..).zip(vectors).collect()
}

fn shelf_with(dir: &Path, vectors: &[(u64, Vec<f32>)]) -> Shelf {
    let (mut shelf, findings) = Shelf::open(dir, model(), Access::Write).unwrap();
    assert_eq!(findings, Vec::<String>::new());
    for part in vectors.chunks(32) {
        shelf.append(part).unwrap();
    }
    shelf
}

fn reopened(dir: &Path) -> (Shelf, Vec<String>) {
    Shelf::open(dir, model(), Access::Write).unwrap()
}

/// The nearest by exact comparison with every vector.
fn by_force(vectors: &[(u64, Vec<f32>)], query: &[f32], count: usize) -> Vec<u64> {
    let mut all: Vec<(f32, u64)> = vectors
        .iter()
        .map(|(key, vector)| (dot_exact(query, vector), *key))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.truncate(count);
    all.into_iter().map(|(_, key)| key).collect()
}

fn keys_of(found: &[(u64, f32)]) -> Vec<u64> {
    found.iter().map(|(key, _)| *key).collect()
}

#[test]
fn a_search_finds_what_a_comparison_with_every_vector_finds() {
    let mut dice = Dice(7);
    for (spread, count) in [(0.3, 10), (1.0, 10), (8.0, 10), (1.0, 100)] {
        let vectors = keyed(dice.clustered(5000, 100, spread));
        let place = tempfile::tempdir().unwrap();
        let shelf = shelf_with(place.path(), &vectors);
        for query in dice.clustered(20, 7, spread) {
            let found = shelf.nearest(&query, count, None);
            assert_eq!(
                keys_of(&found),
                by_force(&vectors, &query, count),
                "{spread}"
            );
        }
        for number in [0, 4999] {
            let (key, vector) = &vectors[number];
            let found = shelf.nearest(vector, 1, None);
            assert_eq!(found[0].0, *key);
            assert!((found[0].1 - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn a_filtered_search_is_exact_among_what_is_allowed() {
    let mut dice = Dice(11);
    let vectors = keyed(dice.clustered(3000, 50, 0.8));
    let place = tempfile::tempdir().unwrap();
    let shelf = shelf_with(place.path(), &vectors);
    for share in [1, 7, 100, 1000] {
        let allowed: Vec<_> = vectors.iter().step_by(share).cloned().collect();
        let mut keys: KeySet = allowed.iter().map(|(key, _)| *key).collect();
        keys.insert(u64::MAX); // not there
        let query = dice.vector();
        let found = shelf.nearest(&query, 10, Some(&keys));
        assert_eq!(keys_of(&found), by_force(&allowed, &query, 10), "1/{share}");
    }
    assert!(
        shelf
            .nearest(&dice.vector(), 10, Some(&KeySet::default()))
            .is_empty()
    );
}

#[test]
fn vectors_outlast_the_shelf_and_later_ones_replace_earlier_ones() {
    let mut dice = Dice(3);
    let mut vectors = keyed(dice.clustered(100, 10, 1.0));
    let place = tempfile::tempdir().unwrap();
    let mut shelf = shelf_with(place.path(), &vectors);
    vectors[4].1 = dice.vector();
    shelf.append(&vectors[4..5]).unwrap();
    drop(shelf);
    let (shelf, findings) = reopened(place.path());
    assert_eq!((shelf.len(), findings.len()), (100, 0));
    let query = &vectors[4].1;
    assert_eq!(
        keys_of(&shelf.nearest(query, 9, None)),
        by_force(&vectors, query, 9)
    );
}

/// The two files of the only shelf in a folder.
fn files(dir: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let path = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().path();
    let end = |path: &PathBuf| path.extension().unwrap().to_str().unwrap().to_owned();
    entries.map(path).map(|path| (end(&path), path)).collect()
}

#[test]
fn wherever_a_file_is_cut_off_what_stands_before_is_kept() {
    let mut dice = Dice(5);
    let vectors = keyed(dice.clustered(96, 10, 1.0)); // three frames
    let whole = tempfile::tempdir().unwrap();
    drop(shelf_with(whole.path(), &vectors));
    let files = files(whole.path());
    for end in ["rows", "exact"] {
        let bytes = std::fs::read(&files[end]).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 23) {
            let place = tempfile::tempdir().unwrap();
            for path in files.values() {
                std::fs::copy(path, place.path().join(path.file_name().unwrap())).unwrap();
            }
            let path = place.path().join(files[end].file_name().unwrap());
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (mut shelf, _) = reopened(place.path());
            let kept = shelf.len();
            assert!(kept % 32 == 0 && kept < 96, "{end} cut at {cut}: {kept}");
            assert!(
                kept + 64 > 96 * cut / bytes.len(),
                "{end} cut at {cut}: {kept}"
            );
            shelf.append(&vectors[kept..]).unwrap();
            drop(shelf);
            let (shelf, findings) = reopened(place.path());
            assert_eq!((shelf.len(), findings.len()), (96, 0), "{end} cut at {cut}");
            let query = dice.vector();
            assert_eq!(
                keys_of(&shelf.nearest(&query, 5, None)),
                by_force(&vectors, &query, 5)
            );
        }
    }
}

#[test]
fn rows_that_have_changed_on_disk_cost_their_frame_only() {
    let mut dice = Dice(9);
    let vectors = keyed(dice.clustered(96, 10, 1.0));
    let place = tempfile::tempdir().unwrap();
    drop(shelf_with(place.path(), &vectors));
    let path = &files(place.path())["rows"];
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
    let (mut shelf, findings) = reopened(place.path());
    assert_eq!((shelf.len(), findings.len()), (64, 1));
    assert!((33..=64).all(|key| !shelf.contains(key)));
    shelf.append(&vectors[32..64]).unwrap();
    let query = dice.vector();
    assert_eq!(
        keys_of(&shelf.nearest(&query, 9, None)),
        by_force(&vectors, &query, 9)
    );
}

#[test]
fn exact_vectors_that_have_changed_on_disk_are_noticed_when_they_are_used() {
    let mut dice = Dice(13);
    let vectors = keyed(dice.clustered(64, 10, 1.0));
    let place = tempfile::tempdir().unwrap();
    let mut shelf = shelf_with(place.path(), &vectors);
    let path = &files(place.path())["exact"];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[10 * DIMENSIONS * 4 + 3] ^= 0x7f; // the sign and size of a number of row 10
    std::fs::write(path, bytes).unwrap();
    let query = &vectors[10].1;
    let found = keys_of(&shelf.nearest(query, 64, None));
    assert!(found.len() == 63 && !found.contains(&11));
    assert_eq!(shelf.forget_faulty(), 1);
    assert!(!shelf.contains(11));
    shelf.append(&vectors[10..11]).unwrap();
    assert_eq!(shelf.nearest(query, 1, None)[0].0, 11);
}

#[test]
fn garbage_in_the_place_of_a_file_is_replaced() {
    let mut dice = Dice(15);
    let vectors = keyed(dice.clustered(32, 10, 1.0));
    for garbage in [Vec::new(), b"garbage".to_vec(), vec![0xff; 100_000]] {
        let place = tempfile::tempdir().unwrap();
        drop(shelf_with(place.path(), &vectors));
        std::fs::write(&files(place.path())["rows"], garbage).unwrap();
        let (mut shelf, findings) = reopened(place.path());
        assert_eq!((shelf.len(), findings.len()), (0, 1));
        shelf.append(&vectors).unwrap();
        drop(shelf);
        assert_eq!(reopened(place.path()).0.len(), 32);
        assert_eq!(files(place.path()).len(), 2);
    }
}

#[test]
fn compacting_keeps_what_is_used_and_nothing_else() {
    let mut dice = Dice(17);
    let vectors = keyed(dice.clustered(1000, 20, 1.0));
    let place = tempfile::tempdir().unwrap();
    let mut shelf = shelf_with(place.path(), &vectors);
    let used: Vec<_> = vectors.iter().skip(201).cloned().collect();
    let keys = |vectors: &[(u64, Vec<f32>)]| vectors.iter().map(|(key, _)| *key).collect();
    let enough: KeySet = keys(&vectors[200..]);
    assert!(!shelf.is_worth_compacting(&enough));
    let used_keys: KeySet = keys(&used);
    assert!(shelf.is_worth_compacting(&used_keys));
    let before = std::fs::metadata(&files(place.path())["exact"])
        .unwrap()
        .len();
    shelf.compact(&used_keys).unwrap();
    assert!(!shelf.is_worth_compacting(&used_keys));
    assert_eq!(files(place.path()).len(), 2);
    let after = std::fs::metadata(&files(place.path())["exact"])
        .unwrap()
        .len();
    assert_eq!(after * 1000, before * 799);
    let query = dice.vector();
    assert_eq!(
        keys_of(&shelf.nearest(&query, 9, None)),
        by_force(&used, &query, 9)
    );
    shelf.append(&vectors[..1]).unwrap();
    drop(shelf);
    let (shelf, findings) = reopened(place.path());
    assert_eq!((shelf.len(), findings.len()), (800, 0));
}

#[test]
fn models_do_not_share_vectors_and_others_can_be_deleted() {
    let mut dice = Dice(19);
    let vectors = keyed(dice.clustered(32, 10, 1.0));
    let place = tempfile::tempdir().unwrap();
    drop(shelf_with(place.path(), &vectors));
    let other = ModelKey {
        revision: "2".to_owned(),
        ..model()
    };
    let (shelf, _) = Shelf::open(place.path(), other, Access::Write).unwrap();
    assert_eq!(shelf.len(), 0);
    assert_eq!(reopened(place.path()).0.len(), 32);
    shelf.delete_others().unwrap();
    assert_eq!(reopened(place.path()).0.len(), 0);
}

#[test]
fn a_reader_sees_what_another_process_adds_and_writes_nothing() {
    let mut dice = Dice(21);
    let vectors = keyed(dice.clustered(64, 10, 1.0));
    let place = tempfile::tempdir().unwrap();
    let read = || Shelf::open(place.path(), model(), Access::Read).unwrap().0;
    let reader = read();
    assert_eq!((reader.len(), reader.is_stale()), (0, false));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    let mut writer = shelf_with(place.path(), &vectors[..32]);
    assert!(reader.is_stale());
    let mut reader = read();
    assert_eq!((reader.len(), reader.is_stale()), (32, false));
    writer.append(&vectors[32..]).unwrap();
    assert!(reader.is_stale());
    assert!(reader.append(&vectors[..1]).is_err());
    assert_eq!(read().len(), 64);
}
