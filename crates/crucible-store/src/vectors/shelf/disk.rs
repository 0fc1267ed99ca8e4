//! The files of a shelf.
//!
//! `MODEL-GENERATION.rows` is a header and then *frames*, one for each time that vectors were added: a
//! mark, the number of rows, a checksum of both and of the rows, and the rows (key, scale, 8-bit
//! numbers). `MODEL-GENERATION.exact` is nothing but the exact vectors in the order of the rows; each
//! is written before its row. All numbers are little-endian.
//!
//! What a crash cut off is cut away at the next open. A frame that has changed since it was written
//! costs its own rows only. Everything here can be made again, so nothing is repaired.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Access, ModelKey, at};

const MAGIC: &[u8; 8] = b"CRUCVEC1";
/// The magic, the numbers of one vector, the model, and a checksum of these.
const HEADER_BYTES: usize = 8 + 4 + 8 + 8;
const FRAME_MARK: u32 = 0x4d41_5246; // "FRAM"
/// Mark, count, checksum of the rows, checksum of the three.
const FRAME_HEAD_BYTES: usize = 4 + 4 + 8 + 8;
/// Key and scale.
const ROW_HEAD_BYTES: usize = 8 + 4;

/// What opening a shelf's files gives.
pub(super) struct Opened {
    pub(super) generation: u32,
    pub(super) rows_file: Option<File>,
    pub(super) exact_file: Option<File>,
    /// Where the file of rows ends.
    pub(super) rows_len: u64,
    pub(super) frames: Vec<Frame>,
    pub(super) findings: Vec<String>,
}

/// The rows that were added at one time.
pub(super) struct Frame {
    count: usize,
    /// `None` when they have changed since they were written.
    body: Option<Vec<u8>>,
}

/// Bytes of one exact vector.
pub(super) const fn exact_bytes(dimensions: usize) -> usize {
    dimensions * 4
}

/// What names a model's files.
fn id(model: &ModelKey) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in [&model.name, &model.revision] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.update(&(model.dimensions as u64).to_le_bytes());
    checksum(hasher.finalize().as_bytes())
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

fn path(dir: &Path, model: &ModelKey, generation: u32, end: &str) -> PathBuf {
    dir.join(format!("{:016x}-{generation}.{end}", id(model)))
}

/// The latest generation of a model's files, with the length of its file of rows.
pub(super) fn newest(dir: &Path, model: &ModelKey) -> io::Result<Option<(u32, u64)>> {
    let mut newest = None;
    for (of, generation, path) in all(dir)? {
        if of == id(model) && path.extension().is_some_and(|end| end == "rows") {
            newest = newest.max(Some((generation, std::fs::metadata(path)?.len())));
        }
    }
    Ok(newest)
}

/// All files of vectors in `dir`, with the model and the generation that their names say.
fn all(dir: &Path) -> io::Result<Vec<(u64, u32, PathBuf)>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let parts = stem.and_then(|stem| stem.split_once('-'));
        if let Some((of, generation)) = parts
            && let (Ok(of), Ok(generation)) = (u64::from_str_radix(of, 16), generation.parse())
        {
            found.push((of, generation, path));
        }
    }
    Ok(found)
}

/// Deletes the files of other models.
pub(super) fn delete_others(dir: &Path, model: &ModelKey) -> io::Result<()> {
    for (of, _, path) in all(dir)? {
        if of != id(model) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Opens the latest files of a model.
pub(super) fn open(dir: &Path, model: &ModelKey, access: Access) -> io::Result<Opened> {
    let mut findings = Vec::new();
    let Some((generation, _)) = newest(dir, model)? else {
        return match access {
            Access::Write => create(dir, model, 0, findings),
            Access::Read => Ok(nothing()),
        };
    };
    let is_writing = access == Access::Write;
    let open = |end| {
        File::options()
            .read(true)
            .write(is_writing)
            .open(path(dir, model, generation, end))
    };
    let rows_file = open("rows")?;
    let bytes = std::fs::read(path(dir, model, generation, "rows"))?;
    let exact_file = match open("exact") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        file => Some(file?),
    };
    let (Some(exact_file), true) = (exact_file, bytes.starts_with(&header(model))) else {
        findings.push("A file of vectors could not be read; vectors are made anew.".to_owned());
        return match access {
            Access::Write => create(dir, model, generation + 1, findings),
            Access::Read => Ok(nothing()),
        };
    };
    let exact_rows = exact_file.metadata()?.len() / exact_bytes(model.dimensions).max(1) as u64;
    let read = Reading::of(&bytes, model.dimensions, exact_rows);
    if is_writing {
        read.mend(&rows_file, &exact_file, bytes.len(), model.dimensions)?;
        delete_older(dir, model, generation)?;
    }
    findings.extend(read.finding(bytes.len()));
    Ok(Opened {
        generation,
        rows_file: Some(rows_file),
        exact_file: Some(exact_file),
        // A reader compares it with the length as it is, cut off or not.
        rows_len: if is_writing { read.end } else { bytes.len() } as u64,
        frames: read.frames,
        findings,
    })
}

fn nothing() -> Opened {
    Opened {
        generation: 0,
        rows_file: None,
        exact_file: None,
        rows_len: 0,
        frames: Vec::new(),
        findings: Vec::new(),
    }
}

fn create(
    dir: &Path,
    model: &ModelKey,
    generation: u32,
    findings: Vec<String>,
) -> io::Result<Opened> {
    let rewriting = Rewriting::begin(dir, model, generation)?;
    let (rows_file, exact_file, rows_len) = rewriting.finish()?;
    delete_older(dir, model, generation)?;
    Ok(Opened {
        generation,
        rows_file: Some(rows_file),
        exact_file: Some(exact_file),
        rows_len,
        frames: Vec::new(),
        findings,
    })
}

/// Deletes the files of a model before `generation`.
fn delete_older(dir: &Path, model: &ModelKey, generation: u32) -> io::Result<()> {
    for (of, older, path) in all(dir)? {
        if of == id(model) && older < generation {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn header(model: &ModelKey) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    let dimensions = u32::try_from(model.dimensions).unwrap_or(u32::MAX);
    header[8..12].copy_from_slice(&dimensions.to_le_bytes());
    header[12..20].copy_from_slice(&id(model).to_le_bytes());
    let check = checksum(&header[..20]);
    header[20..].copy_from_slice(&check.to_le_bytes());
    header
}

/// What stands in a file of rows.
struct Reading {
    frames: Vec<Frame>,
    rows: usize,
    damaged_rows: usize,
    /// Where the last frame ends.
    end: usize,
}

impl Reading {
    /// Reads frames as long as they are whole and have their exact vectors.
    fn of(bytes: &[u8], dimensions: usize, exact_rows: u64) -> Self {
        let mut read = Self {
            frames: Vec::new(),
            rows: 0,
            damaged_rows: 0,
            end: HEADER_BYTES,
        };
        while let Some((frame, end)) = read_frame(bytes, read.end, dimensions) {
            if (read.rows + frame.count) as u64 > exact_rows {
                break;
            }
            read.rows += frame.count;
            if frame.body.is_none() {
                read.damaged_rows += frame.count;
            }
            read.frames.push(frame);
            read.end = end;
        }
        read
    }

    /// Cuts away what no frame needs.
    fn mend(&self, rows: &File, exact: &File, len: usize, dimensions: usize) -> io::Result<()> {
        if len > self.end {
            rows.set_len(self.end as u64)?;
        }
        let exact_len = (self.rows * exact_bytes(dimensions)) as u64;
        if exact.metadata()?.len() > exact_len {
            exact.set_len(exact_len)?;
        }
        Ok(())
    }

    fn finding(&self, len: usize) -> Option<String> {
        let cut = len.saturating_sub(self.end);
        (cut > 0 || self.damaged_rows > 0).then(|| {
            format!(
                "Of a file of vectors {cut} bytes at its end and {} vectors could not be read; \
                 what they held is made anew.",
                self.damaged_rows
            )
        })
    }
}

/// The frame at `start` and where it ends; `None` when there is no whole one.
fn read_frame(bytes: &[u8], start: usize, dimensions: usize) -> Option<(Frame, usize)> {
    let head = bytes.get(start..start + FRAME_HEAD_BYTES)?;
    if u64_at(head, 16)? != checksum(&head[..16]) || u32_at(head, 0)? != FRAME_MARK {
        return None;
    }
    let count = u32_at(head, 4)? as usize;
    let begin = start + FRAME_HEAD_BYTES;
    let end = begin.checked_add(count.checked_mul(ROW_HEAD_BYTES + dimensions)?)?;
    let body = bytes.get(begin..end)?;
    let is_sound = checksum(body) == u64_at(head, 8)?;
    let body = is_sound.then(|| body.to_vec());
    Some((Frame { count, body }, end))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

impl Frame {
    /// Its rows in order: key, scale, numbers; `None` for each that cannot be read.
    pub(super) fn rows(
        &self,
        dimensions: usize,
    ) -> impl Iterator<Item = Option<(u64, f32, impl Iterator<Item = i8>)>> {
        let row_bytes = ROW_HEAD_BYTES + dimensions;
        (0..self.count).map(move |number| {
            let row = self
                .body
                .as_ref()?
                .get(number * row_bytes..)?
                .get(..row_bytes)?;
            let numbers = row[ROW_HEAD_BYTES..].iter();
            let numbers = numbers.map(|byte| byte.cast_signed());
            Some((u64_at(row, 0)?, f32::from_bits(u32_at(row, 8)?), numbers))
        })
    }
}

/// Writes exact vectors from `at` on.
pub(super) fn write_exact<'a>(
    file: &File,
    at: u64,
    vectors: impl Iterator<Item = &'a [f32]>,
) -> io::Result<()> {
    let bytes: Vec<u8> = vectors.flatten().flat_map(|x| x.to_le_bytes()).collect();
    at::write(file, &bytes, at)
}

/// Reads the exact vector at `at`.
pub(super) fn read_exact(
    file: &File,
    at: u64,
    dimensions: usize,
    vector: &mut Vec<f32>,
) -> io::Result<()> {
    let mut bytes = vec![0; exact_bytes(dimensions)];
    at::read(file, &mut bytes, at)?;
    vector.clear();
    let numbers = bytes.chunks_exact(4).map(|x| [x[0], x[1], x[2], x[3]]);
    vector.extend(numbers.map(f32::from_le_bytes));
    Ok(())
}

/// Writes rows as one frame at `at`; returns where it ends.
pub(super) fn append_frame(file: &File, at: u64, rows: &[(u64, f32, Vec<i8>)]) -> io::Result<u64> {
    let mut body = Vec::new();
    for (key, scale, row) in rows {
        body.extend_from_slice(&key.to_le_bytes());
        body.extend_from_slice(&scale.to_bits().to_le_bytes());
        body.extend(row.iter().map(|x| x.cast_unsigned()));
    }
    let count = u32::try_from(rows.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + body.len());
    frame.extend_from_slice(&FRAME_MARK.to_le_bytes());
    frame.extend_from_slice(&count.to_le_bytes());
    frame.extend_from_slice(&checksum(&body).to_le_bytes());
    let check = checksum(&frame);
    frame.extend_from_slice(&check.to_le_bytes());
    frame.extend_from_slice(&body);
    at::write(file, &frame, at)?;
    Ok(at + frame.len() as u64)
}

/// Files that are being written anew; they count once [`Rewriting::finish`] has given the file of rows
/// its name.
pub(super) struct Rewriting {
    new_path: PathBuf,
    path: PathBuf,
    rows: File,
    exact: File,
    rows_len: u64,
    exact_len: u64,
}

impl Rewriting {
    pub(super) fn begin(dir: &Path, model: &ModelKey, generation: u32) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let create = |path: &Path| {
            File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)
        };
        let new_path = path(dir, model, generation, "new");
        let rows = create(&new_path)?;
        let exact = create(&path(dir, model, generation, "exact"))?;
        at::write(&rows, &header(model), 0)?;
        Ok(Self {
            new_path,
            path: path(dir, model, generation, "rows"),
            rows,
            exact,
            rows_len: HEADER_BYTES as u64,
            exact_len: 0,
        })
    }

    pub(super) fn append(
        &mut self,
        rows: &[(u64, f32, Vec<i8>)],
        exact: &[Vec<f32>],
    ) -> io::Result<()> {
        write_exact(&self.exact, self.exact_len, exact.iter().map(Vec::as_slice))?;
        self.exact_len += exact
            .iter()
            .map(|vector| exact_bytes(vector.len()) as u64)
            .sum::<u64>();
        self.rows_len = append_frame(&self.rows, self.rows_len, rows)?;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<(File, File, u64)> {
        self.exact.sync_data()?;
        self.rows.sync_data()?;
        std::fs::rename(&self.new_path, &self.path)?;
        Ok((self.rows, self.exact, self.rows_len))
    }
}
