//! The vectors of one model: a file of 8-bit rows that is read into memory and scanned, and beside it a
//! file of the exact vectors, of which a search reads only the few that it compares at the end.
//!
//! Rows are numbered in the order in which they came; row `n` is the `n`-th exact vector. Both files
//! only grow, until so many rows are dead that they are written anew. `disk` knows the format.

mod at;
mod disk;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::kernel::{Best, dot, dot_exact, quantise};
use crate::keyed::{KeyMap, KeySet};

/// Rows that are kept in one piece of memory.
const CHUNK_ROWS: usize = 4096;
/// Rows beyond those asked for that are compared exactly, at least; with it the best by 8-bit rows hold
/// the best in truth.
const RESCORE_MORE: usize = 50;
/// Rows that are copied at once when files are written anew.
const COPY_ROWS: usize = 256;
/// Fewer rows than this are never written anew.
const COMPACT_ROWS_MIN: usize = 256;

/// What tells vectors that can be compared from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelKey {
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) dimensions: usize,
}

/// Whether files may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The vectors of one model.
#[derive(Debug)]
pub(super) struct Shelf {
    model: ModelKey,
    dir: PathBuf,
    access: Access,
    files: Files,
    /// The key of each row.
    keys: Vec<u64>,
    /// The scale of each row; 0 for a dead one.
    scales: Vec<f32>,
    rows: Vec<Vec<i8>>,
    /// The row of each key.
    places: KeyMap<u32>,
    /// Rows whose exact vector was found not to be theirs.
    faulty: Mutex<HashSet<u32>>,
}

/// The open files of a shelf.
#[derive(Debug)]
struct Files {
    /// Counts how often they were written anew.
    generation: u32,
    rows: Option<File>,
    exact: Option<File>,
    /// How long the file of rows was when it was last read or written.
    rows_len: u64,
}

impl Shelf {
    /// Opens the shelf of a model in `dir`, with what was found damaged in sentences. For writing it is
    /// created when it is missing, and mended; for reading a missing one is empty. Blocks.
    pub(super) fn open(
        dir: &Path,
        model: ModelKey,
        access: Access,
    ) -> io::Result<(Self, Vec<String>)> {
        let opened = disk::open(dir, &model, access)?;
        let mut shelf = Self {
            dir: dir.to_owned(),
            access,
            files: Files {
                generation: opened.generation,
                rows: opened.rows_file,
                exact: opened.exact_file,
                rows_len: opened.rows_len,
            },
            keys: Vec::new(),
            scales: Vec::new(),
            rows: Vec::new(),
            places: KeyMap::default(),
            faulty: Mutex::default(),
            model,
        };
        for frame in &opened.frames {
            for row in frame.rows(shelf.model.dimensions) {
                match row {
                    Some((key, scale, row)) => shelf.push(key, scale, row),
                    None => shelf.push_dead(),
                }
            }
        }
        Ok((shelf, opened.findings))
    }

    pub(super) fn model(&self) -> &ModelKey {
        &self.model
    }

    /// Whether another process has changed the files since; only without writing them.
    pub(super) fn is_stale(&self) -> bool {
        self.access == Access::Read
            && disk::newest(&self.dir, &self.model).is_ok_and(|newest| {
                newest != Some((self.files.generation, self.files.rows_len))
                    && (newest.is_some() || self.files.rows.is_some())
            })
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    /// How many vectors there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    fn push(&mut self, key: u64, scale: f32, row: impl IntoIterator<Item = i8>) {
        let place = self.next_row();
        if let Some(old) = self.places.insert(key, place) {
            self.scales[old as usize] = 0.0;
        }
        self.keys.push(key);
        self.scales.push(scale);
        self.chunk().extend(row);
    }

    fn push_dead(&mut self) {
        let dimensions = self.model.dimensions;
        self.keys.push(0);
        self.scales.push(0.0);
        self.chunk().extend(std::iter::repeat_n(0, dimensions));
    }

    fn next_row(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// The memory that has room for one more row.
    fn chunk(&mut self) -> &mut Vec<i8> {
        let bytes = CHUNK_ROWS * self.model.dimensions;
        let is_full = self.rows.last().is_none_or(|rows| rows.len() >= bytes);
        if is_full {
            self.rows.push(Vec::new());
        }
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    fn row(&self, row: u32) -> &[i8] {
        let dimensions = self.model.dimensions;
        let start = (row as usize % CHUNK_ROWS) * dimensions;
        &self.rows[row as usize / CHUNK_ROWS][start..start + dimensions]
    }

    /// Adds unit vectors with their keys; they outlast a crash of this process on return.
    pub(super) fn append(&mut self, vectors: &[(u64, Vec<f32>)]) -> io::Result<()> {
        let (Some(rows), Some(exact)) = (&self.files.rows, &self.files.exact) else {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        };
        let mut quantised = Vec::with_capacity(vectors.len());
        for (key, vector) in vectors {
            let mut row = Vec::with_capacity(vector.len());
            let scale = quantise(vector, &mut row);
            quantised.push((*key, scale, row));
        }
        let at = self.keys.len() * disk::exact_bytes(self.model.dimensions);
        let exactly = vectors.iter().map(|(_, vector)| vector.as_slice());
        disk::write_exact(exact, at as u64, exactly)?;
        self.files.rows_len = disk::append_frame(rows, self.files.rows_len, &quantised)?;
        for (key, scale, row) in quantised {
            self.push(key, scale, row);
        }
        Ok(())
    }

    /// Brings what was added to the disk itself.
    pub(super) fn sync(&self) -> io::Result<()> {
        let files = [&self.files.exact, &self.files.rows];
        files.into_iter().flatten().try_for_each(File::sync_data)
    }

    /// The at most `count` keys nearest to a unit vector, with their cosines, nearest first; only those
    /// of `allowed` when there is such a set.
    pub(super) fn nearest(
        &self,
        query: &[f32],
        count: usize,
        allowed: Option<&KeySet>,
    ) -> Vec<(u64, f32)> {
        let mut quantised = Vec::with_capacity(query.len());
        quantise(query, &mut quantised);
        let quantised: Vec<i16> = quantised.into_iter().map(i16::from).collect();
        let mut best = Best::of(count + count.max(RESCORE_MORE));
        match allowed {
            Some(allowed) => self.scan_allowed(&quantised, allowed, &mut best),
            None => self.scan(&quantised, &mut best),
        }
        let mut exact = Best::of(count);
        let mut vector = Vec::with_capacity(query.len());
        for scored in best.into_sorted() {
            if self.read_exact(scored.row, &mut vector) {
                exact.see(scored.row, dot_exact(query, &vector));
            }
        }
        let key = |row: u32| self.keys[row as usize];
        let nearest = exact.into_sorted().into_iter();
        nearest.map(|found| (key(found.row), found.score)).collect()
    }

    fn scan(&self, query: &[i16], best: &mut Best) {
        let mut number = 0_u32;
        for chunk in &self.rows {
            for row in chunk.chunks_exact(self.model.dimensions.max(1)) {
                let scale = self.scales[number as usize];
                if scale > 0.0 {
                    best.see(number, score(query, row, scale));
                }
                number += 1;
            }
        }
    }

    fn scan_allowed(&self, query: &[i16], allowed: &KeySet, best: &mut Best) {
        let mut rows: Vec<u32> = allowed
            .iter()
            .filter_map(|key| self.places.get(key).copied())
            .collect();
        rows.sort_unstable(); // memory is read forwards
        for row in rows {
            best.see(row, score(query, self.row(row), self.scales[row as usize]));
        }
    }

    /// Reads the exact vector of a row, and checks that it is this row's: it must become the same 8-bit
    /// numbers again. A row that does not is made anew later.
    fn read_exact(&self, row: u32, vector: &mut Vec<f32>) -> bool {
        let Some(file) = &self.files.exact else {
            return false;
        };
        let at = row as usize * disk::exact_bytes(self.model.dimensions);
        let mut again = Vec::with_capacity(self.model.dimensions);
        let is_sound = disk::read_exact(file, at as u64, self.model.dimensions, vector).is_ok()
            && quantise(vector, &mut again).to_bits() == self.scales[row as usize].to_bits()
            && again == self.row(row);
        if !is_sound {
            let mut faulty = self.faulty.lock().unwrap_or_else(PoisonError::into_inner);
            faulty.insert(row);
        }
        is_sound
    }

    /// Compares every row with its exact vector, as a search does with the few that it reads.
    pub(super) fn verify(&self) {
        let mut vector = Vec::new();
        for &row in self.places.values() {
            self.read_exact(row, &mut vector);
        }
    }

    /// Forgets the rows that were found faulty; returns how many they were.
    pub(super) fn forget_faulty(&mut self) -> usize {
        let faulty = self
            .faulty
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let faulty = std::mem::take(faulty);
        for &row in &faulty {
            let key = self.keys[row as usize];
            if self.places.get(&key) == Some(&row) {
                self.places.remove(&key);
            }
            self.scales[row as usize] = 0.0;
        }
        faulty.len()
    }

    /// Whether more than a fifth of the rows are of no use, when only `keys` are.
    pub(super) fn is_worth_compacting(&self, keys: &KeySet) -> bool {
        let rows = self.keys.len();
        let used = self.places.keys().filter(|key| keys.contains(key)).count();
        rows >= COMPACT_ROWS_MIN && (rows - used) * 5 > rows
    }

    /// Writes the files anew with nothing but `keys`.
    pub(super) fn compact(&mut self, keys: &KeySet) -> io::Result<()> {
        let mut wanted: Vec<u32> = self
            .places
            .iter()
            .filter(|(key, _)| keys.contains(key))
            .map(|(_, &row)| row)
            .collect();
        wanted.sort_unstable();
        let generation = self.files.generation + 1;
        let mut next = disk::Rewriting::begin(&self.dir, &self.model, generation)?;
        let mut vector = Vec::new();
        for part in wanted.chunks(COPY_ROWS) {
            let mut rows = Vec::with_capacity(part.len());
            let mut exact = Vec::with_capacity(part.len());
            for &row in part {
                if self.read_exact(row, &mut vector) {
                    let (key, scale) = (self.keys[row as usize], self.scales[row as usize]);
                    rows.push((key, scale, self.row(row).to_vec()));
                    exact.push(vector.clone());
                }
            }
            next.append(&rows, &exact)?;
        }
        next.finish()?;
        let (shelf, _findings) = Self::open(&self.dir, self.model.clone(), self.access)?;
        *self = shelf;
        Ok(())
    }

    /// Deletes the vectors of other models.
    pub(super) fn delete_others(&self) -> io::Result<()> {
        disk::delete_others(&self.dir, &self.model)
    }
}

/// How near a row is; comparable between the rows of one query.
#[expect(clippy::cast_precision_loss, reason = "an estimate that is made exact")]
fn score(query: &[i16], row: &[i8], scale: f32) -> f32 {
    dot(query, row) as f32 * scale
}

#[cfg(test)]
mod tests;
