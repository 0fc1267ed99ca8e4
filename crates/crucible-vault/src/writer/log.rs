//! The record on disk: one line for each thing that happens to a change, appended and synced.
//!
//! A line is the first 16 digits of the BLAKE3 of its JSON, a space, and the JSON. A line that is
//! torn or does not fit its digits ends the record: it was never acknowledged, nor was anything
//! after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::record::Line;

const CHECK_DIGITS: usize = 16;
const NAME: &str = "changes.log";

/// The open record.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    file: File,
    /// The length up to which all lines are whole.
    length: u64,
}

impl Log {
    /// Opens the record in `folder`, or begins one, and reads it.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Line>)> {
        let path = folder.join(NAME);
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (lines, length) = read(&bytes);
        if length < bytes.len() {
            tracing::warn!(
                bytes = bytes.len() - length,
                "the record of changes ended in the middle of a line, which is taken away"
            );
        }
        let mut log = Self {
            folder: folder.to_owned(),
            file,
            length: length as u64,
        };
        log.cut()?;
        if is_new {
            sync_folder(folder)?;
        }
        Ok((log, lines))
    }

    /// Adds a line; on disk on return, if `sync` says so.
    pub(super) fn append(&mut self, line: &Line, sync: bool) -> io::Result<()> {
        let text = written(line)?;
        let appended = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match appended {
            Ok(()) => {
                self.length += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line would hide all that follow.
                self.cut()?;
                Err(error)
            }
        }
    }

    /// Puts `lines` in the place of the record.
    pub(super) fn replace(&mut self, lines: impl Iterator<Item = Line>) -> io::Result<()> {
        let fresh = self.folder.join("changes.log.new");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&fresh)?;
        let mut text = String::new();
        for line in lines {
            text.push_str(&written(&line)?);
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, self.folder.join(NAME))?;
        sync_folder(&self.folder)?;
        self.file = file;
        self.length = text.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

fn written(line: &Line) -> io::Result<String> {
    let json = serde_json::to_string(line).map_err(io::Error::other)?;
    Ok(format!("{} {json}\n", check(json.as_bytes())))
}

fn check(json: &[u8]) -> String {
    let mut digits = super::record::hash_of(json);
    digits.truncate(CHECK_DIGITS);
    digits
}

/// Returns the whole lines and how many bytes they take.
fn read(bytes: &[u8]) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let mut done = 0;
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = parsed(raw) else { break };
        lines.push(line);
        done += raw.len();
    }
    (lines, done)
}

fn parsed(raw: &[u8]) -> Option<Line> {
    let raw = raw.strip_suffix(b"\n")?;
    let (digits, json) = raw.split_at_checked(CHECK_DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    if check(json).as_bytes() != digits {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Brings the names in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(id: &str) -> Line {
        Line::Done(id.to_owned())
    }

    #[test]
    fn lines_are_there_at_the_next_open() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, lines) = Log::open(place.path()).unwrap();
        assert!(lines.is_empty());
        log.append(&done("a"), true).unwrap();
        log.append(&done("b"), false).unwrap();
        let (mut log, lines) = Log::open(place.path()).unwrap();
        assert_eq!(lines, [done("a"), done("b")]);
        log.replace([done("c")].into_iter()).unwrap();
        log.append(&done("d"), true).unwrap();
        assert_eq!(Log::open(place.path()).unwrap().1, [done("c"), done("d")]);
    }

    #[test]
    fn a_record_cut_anywhere_keeps_its_whole_lines() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(place.path()).unwrap();
        for id in ["a", "b", "c"] {
            log.append(&done(id), true).unwrap();
        }
        let whole = std::fs::read(place.path().join(NAME)).unwrap();
        let line_len = whole.len() / 3;
        for length in 0..whole.len() {
            std::fs::write(place.path().join(NAME), &whole[..length]).unwrap();
            let (mut log, lines) = Log::open(place.path()).unwrap();
            assert_eq!(lines.len(), length / line_len);
            log.append(&done("z"), true).unwrap();
            let (_, lines) = Log::open(place.path()).unwrap();
            assert_eq!(lines.last(), Some(&done("z")));
            assert_eq!(lines.len(), length / line_len + 1);
        }
    }

    #[test]
    fn a_line_that_was_changed_ends_the_record() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(place.path()).unwrap();
        log.append(&done("a"), true).unwrap();
        log.append(&done("b"), true).unwrap();
        let text = std::fs::read_to_string(place.path().join(NAME)).unwrap();
        std::fs::write(place.path().join(NAME), text.replace("\"b\"", "\"x\"")).unwrap();
        assert_eq!(Log::open(place.path()).unwrap().1, [done("a")]);
    }
}
