//! Applies changes in order inside one transaction, and collects what the text index must do.

use crucible_notes::names;
use crucible_services::data_store::Problem;
use crucible_services::events::Cause;
use crucible_services::note_index::{Applied, ChangeOrigin, FileChange, FileContent, FileStamp};
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::file::{self, FileRow};
use super::outbox::{self, OutboxRow};
use super::{Mark, note};
use crate::prepare::{Parsed, ParsedNote, Prepared, PreparedNote, title_from_path};
use crate::schema::{FileKind, OutboxKind, RecordChange};

/// What a batch asks of the text index, in order.
#[derive(Debug)]
pub(crate) enum TextChange {
    /// The note has this content now.
    Put {
        id: i64,
        path: String,
        note: Box<ParsedNote>,
    },
    /// The note has another name; its content is in its file.
    Refresh { id: i64 },
    /// The note is gone.
    Drop { id: i64 },
}

impl TextChange {
    /// Says whether a note's text is to be taken over.
    pub(crate) fn is_note(&self) -> bool {
        !matches!(self, Self::Drop { .. })
    }
}

/// A batch that is being applied. Dropped without [`Batch::finish`], it must be rolled back.
#[derive(Debug)]
pub(crate) struct Batch<'c> {
    connection: &'c Connection,
    tell: bool,
    cause: Option<Cause>,
    seq: i64,
    applied: Applied,
    text: Vec<TextChange>,
}

/// What an applied batch leaves to be done after the transaction.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) applied: Applied,
    /// The outbox's last position.
    pub(crate) seq: i64,
    pub(crate) text: Vec<TextChange>,
}

impl<'c> Batch<'c> {
    /// Begins a batch; the caller has begun a transaction on `connection`. What is told of its
    /// changes follows `cause`.
    pub(crate) fn begin(
        connection: &'c Connection,
        origin: ChangeOrigin,
        cause: Option<Cause>,
    ) -> rusqlite::Result<Self> {
        let mut batch = Self::resume(connection)?;
        batch.tell = origin == ChangeOrigin::Change;
        match origin {
            ChangeOrigin::FirstIndex => Mark::FirstIndex.write(connection, 1)?,
            ChangeOrigin::Change => batch.end_first_index()?,
        }
        batch.cause = cause;
        Ok(batch)
    }

    /// Begins a batch without changes to files; the caller has begun a transaction.
    pub(crate) fn resume(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            tell: true,
            cause: None,
            seq: Mark::Seq.read(connection)?,
            applied: Applied::default(),
            text: Vec::new(),
        })
    }

    /// Tells that the first build has ended, if one was going on.
    pub(crate) fn end_first_index(&mut self) -> rusqlite::Result<()> {
        if Mark::FirstIndex.read(self.connection)? == 0 {
            return Ok(());
        }
        Mark::FirstIndex.write(self.connection, 0)?;
        let records: i64 = self.connection.query_row(
            "SELECT count(*) FROM files WHERE kind = ?1",
            [FileKind::Note as i64],
            |row| row.get(0),
        )?;
        self.seq += 1;
        let row = OutboxRow {
            seq: self.seq,
            kind: OutboxKind::Built,
            path: "notes".to_owned(),
            from_path: None,
            record: RecordChange::None,
            detail: object(json!({ "records": records })),
            cause: None,
        };
        outbox::push(self.connection, &row, true, None)
    }

    /// Notes the last position and hands over what is left to do.
    pub(crate) fn finish(self) -> rusqlite::Result<Outcome> {
        Mark::Seq.write(self.connection, self.seq)?;
        Ok(Outcome {
            applied: self.applied,
            seq: self.seq,
            text: self.text,
        })
    }

    /// Applies one change.
    pub(crate) fn apply(&mut self, change: Prepared) -> rusqlite::Result<()> {
        match change {
            Prepared::Note { path, stamp, note } => self.upsert_note(path, stamp, note),
            Prepared::Other(FileChange::Upsert {
                path,
                stamp,
                content: FileContent::Note(bytes),
            }) => self.upsert_note(path, stamp, PreparedNote::new(bytes)),
            Prepared::Other(FileChange::Upsert { path, stamp, .. }) => {
                self.upsert_attachment(path, stamp)
            }
            Prepared::Other(FileChange::Move { from, to, stamp }) => {
                self.move_file(&from, to, stamp)
            }
            Prepared::Other(FileChange::Remove { path }) => self.remove(&path),
            Prepared::Other(FileChange::Skip { problem, stamp }) => {
                self.skip(&problem, stamp.unwrap_or(UNKNOWN_STAMP))
            }
        }
    }

    fn upsert_note(
        &mut self,
        path: String,
        stamp: FileStamp,
        prepared: PreparedNote,
    ) -> rusqlite::Result<()> {
        let old = FileRow::at(self.connection, &path)?;
        if let Some(old) = &old
            && old.is_note()
            && old.hash == prepared.hash
        {
            self.applied.unchanged += 1;
            return self.renew_stamp(old, stamp);
        }
        let hash = prepared.hash;
        match prepared.into_parsed(&path) {
            Parsed::Skipped(problem) => self.skip(&problem, stamp),
            Parsed::Note(note) => self.write_note(old.as_ref(), path, stamp, hash, note),
        }
    }

    fn write_note(
        &mut self,
        old: Option<&FileRow>,
        path: String,
        stamp: FileStamp,
        hash: [u8; 32],
        note: Box<ParsedNote>,
    ) -> rusqlite::Result<()> {
        let file = FileRow {
            id: 0,
            path,
            kind: FileKind::Note,
            stamp,
            hash: hash.to_vec(),
            title: Some(note.title.clone()),
            aliases: note.facts.aliases.clone(),
            tags: note.tags.clone(),
        };
        let properties = (!note.facts.properties.is_empty())
            .then(|| serde_json::to_string(&note.facts.properties).ok())
            .flatten();
        let record = match old {
            Some(old) if old.is_note() => RecordChange::Updated,
            _ => RecordChange::Created,
        };
        let file = self.put_file(old, file, properties, record, None)?;
        note::insert(self.connection, file.id, &note)?;
        self.applied.parsed += 1;
        self.text.push(TextChange::Put {
            id: file.id,
            path: file.path,
            note,
        });
        Ok(())
    }

    fn upsert_attachment(&mut self, path: String, stamp: FileStamp) -> rusqlite::Result<()> {
        let old = FileRow::at(self.connection, &path)?;
        if let Some(old) = &old
            && old.kind == FileKind::Attachment
            && old.stamp == stamp
        {
            self.applied.unchanged += 1;
            return Ok(());
        }
        let record = record_of_lost_note(old.as_ref());
        let file = bare_file(path, FileKind::Attachment, stamp);
        self.put_file(old.as_ref(), file, None, record, None)?;
        Ok(())
    }

    fn skip(&mut self, problem: &Problem, stamp: FileStamp) -> rusqlite::Result<()> {
        self.applied.skipped += 1;
        let old = FileRow::at(self.connection, &problem.path)?;
        if let Some(old) = &old
            && old.kind == FileKind::Skipped
            && old.stamp == stamp
            && self.has_problem(old.id, problem)?
        {
            return Ok(());
        }
        let record = record_of_lost_note(old.as_ref());
        let file = bare_file(problem.path.clone(), FileKind::Skipped, stamp);
        let file = self.put_file(old.as_ref(), file, None, record, Some(problem))?;
        note::insert_problem(self.connection, file.id, problem)
    }

    fn has_problem(&self, id: i64, problem: &Problem) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM problems WHERE file = ?1 AND kind = ?2 AND message = ?3",
            )?
            .query_row(
                (id, note::problem_kind_name(problem), &problem.message),
                |row| row.get::<_, i64>(0).map(|count| count > 0),
            )
    }

    /// Puts `file` in the place of `old`, and tells so. What the old one said is cleared.
    fn put_file(
        &mut self,
        old: Option<&FileRow>,
        mut file: FileRow,
        properties: Option<String>,
        record: RecordChange,
        problem: Option<&Problem>,
    ) -> rusqlite::Result<FileRow> {
        self.seq += 1;
        let mut drop_text = None;
        if let Some(old) = old {
            note::clear(self.connection, old)?;
            file::delete_names(self.connection, old)?;
            file.id = old.id;
            if old.is_note() && !file.is_note() {
                drop_text = Some(old.id);
                self.text.push(TextChange::Drop { id: old.id });
            }
        }
        file.id = self.write_row(&file, properties, old.is_some())?;
        file::insert_names(self.connection, &file)?;
        if !self.tell && drop_text.is_none() {
            return Ok(file);
        }
        let kind = match old {
            Some(_) => OutboxKind::Modified,
            None => OutboxKind::Created,
        };
        let mut detail = detail_of(&file);
        if let Some(problem) = problem {
            detail.insert("skipped".to_owned(), json!(problem.message));
        }
        self.tell(kind, &file.path, None, record, detail, drop_text)?;
        Ok(file)
    }

    fn write_row(
        &self,
        file: &FileRow,
        properties: Option<String>,
        exists: bool,
    ) -> rusqlite::Result<i64> {
        let id = exists.then_some(file.id);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO files (id, path, key, kind, size, modified_ns, inode, \
                 seq, hash, title, aliases, tags, properties) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute((
                id,
                &file.path,
                names::fold(&file.path),
                file.kind as i64,
                file.stamp.size.cast_signed(),
                file.stamp.modified_ns,
                file.stamp.inode.cast_signed(),
                self.seq,
                file.is_note().then_some(&file.hash),
                &file.title,
                file::json_list(&file.aliases),
                file::json_list(&file.tags),
                properties,
            ))?;
        Ok(id.unwrap_or_else(|| self.connection.last_insert_rowid()))
    }

    fn renew_stamp(&self, file: &FileRow, stamp: FileStamp) -> rusqlite::Result<()> {
        if file.stamp == stamp {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "UPDATE files SET size = ?2, modified_ns = ?3, inode = ?4 WHERE id = ?1",
            )?
            .execute((
                file.id,
                stamp.size.cast_signed(),
                stamp.modified_ns,
                stamp.inode.cast_signed(),
            ))?;
        Ok(())
    }

    fn remove(&mut self, path: &str) -> rusqlite::Result<()> {
        let Some(old) = FileRow::at(self.connection, path)? else {
            return Ok(());
        };
        self.applied.removed += 1;
        self.delete(&old)
    }

    fn delete(&mut self, old: &FileRow) -> rusqlite::Result<()> {
        self.seq += 1;
        note::clear(self.connection, old)?;
        file::delete_names(self.connection, old)?;
        self.connection
            .prepare_cached("DELETE FROM files WHERE id = ?1")?
            .execute([old.id])?;
        let drop_text = old.is_note().then_some(old.id);
        if old.is_note() {
            self.text.push(TextChange::Drop { id: old.id });
        }
        let record = record_of_lost_note(Some(old));
        let detail = object(json!({ "path": old.path }));
        self.tell(
            OutboxKind::Deleted,
            &old.path,
            None,
            record,
            detail,
            drop_text,
        )
    }

    fn move_file(&mut self, from: &str, to: String, stamp: FileStamp) -> rusqlite::Result<()> {
        let target = FileRow::at(self.connection, &to)?;
        let Some(old) = FileRow::at(self.connection, from)? else {
            // Applied before; then only the stamp can be new.
            return target.map_or(Ok(()), |target| self.renew_stamp(&target, stamp));
        };
        if from == to {
            return self.renew_stamp(&old, stamp);
        }
        if let Some(target) = target {
            self.delete(&target)?;
        }
        self.applied.moved += 1;
        self.seq += 1;
        file::delete_names(self.connection, &old)?;
        let title = self.title_after_move(&old, &to)?;
        let file = FileRow {
            path: to,
            stamp,
            title,
            ..old
        };
        self.connection
            .prepare_cached(
                "UPDATE files SET path = ?2, key = ?3, size = ?4, modified_ns = ?5, inode = ?6, \
                 seq = ?7, title = ?8 WHERE id = ?1",
            )?
            .execute((
                file.id,
                &file.path,
                names::fold(&file.path),
                stamp.size.cast_signed(),
                stamp.modified_ns,
                stamp.inode.cast_signed(),
                self.seq,
                &file.title,
            ))?;
        file::insert_names(self.connection, &file)?;
        let mut record = RecordChange::None;
        if file.is_note() {
            record = RecordChange::Moved;
            self.text.push(TextChange::Refresh { id: file.id });
        }
        let mut detail = detail_of(&file);
        detail.insert("from".to_owned(), json!(from));
        let kind = OutboxKind::Moved;
        self.tell(kind, &file.path, Some(from), record, detail, None)
    }

    /// A title that came from the file's name follows the name.
    fn title_after_move(&self, old: &FileRow, to: &str) -> rusqlite::Result<Option<String>> {
        let Some(title) = &old.title else {
            return Ok(None);
        };
        if title != title_from_path(&old.path) {
            return Ok(Some(title.clone()));
        }
        let is_written: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM headings WHERE file = ?1 AND level = 1 \
                                AND trim(text) = ?2) \
                     OR EXISTS (SELECT 1 FROM files WHERE id = ?1 \
                                AND trim(properties ->> 'title') = ?2)",
            )?
            .query_row((old.id, title), |row| row.get(0))?;
        Ok(Some(if is_written {
            title.clone()
        } else {
            title_from_path(to).to_owned()
        }))
    }

    fn tell(
        &self,
        kind: OutboxKind,
        path: &str,
        from: Option<&str>,
        record: RecordChange,
        detail: Map<String, Value>,
        drop_text: Option<i64>,
    ) -> rusqlite::Result<()> {
        if !self.tell && drop_text.is_none() {
            return Ok(());
        }
        let row = OutboxRow {
            seq: self.seq,
            kind,
            path: path.to_owned(),
            from_path: from.map(str::to_owned),
            record,
            detail,
            cause: self.cause,
        };
        outbox::push(self.connection, &row, self.tell, drop_text)
    }
}

/// The stamp of a file that could not be looked at; no file on disk has it.
const UNKNOWN_STAMP: FileStamp = FileStamp {
    size: 0,
    modified_ns: 0,
    inode: 0,
};

fn bare_file(path: String, kind: FileKind, stamp: FileStamp) -> FileRow {
    FileRow {
        id: 0,
        path,
        kind,
        stamp,
        hash: Vec::new(),
        title: None,
        aliases: Vec::new(),
        tags: Vec::new(),
    }
}

fn record_of_lost_note(old: Option<&FileRow>) -> RecordChange {
    match old {
        Some(old) if old.is_note() => RecordChange::Deleted,
        _ => RecordChange::None,
    }
}

fn detail_of(file: &FileRow) -> Map<String, Value> {
    let mut detail = object(json!({
        "path": file.path,
        "size_bytes": file.stamp.size,
    }));
    if file.is_note() {
        detail.insert("hash".to_owned(), json!(hex(&file.hash)));
        detail.insert("title".to_owned(), json!(file.title));
    }
    detail
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
