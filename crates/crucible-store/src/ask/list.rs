//! Pages of notes in path order.

use crucible_notes::names;
use crucible_services::data_store::{Error, ListRequest, NotePage};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::note::summary;
use crate::facts::batch::hex;
use crate::facts::file::{COLUMNS, FileRow};
use crate::readers::Fault;
use crate::schema::FileKind;

/// Returns one page.
pub(crate) fn list(connection: &Connection, request: &ListRequest) -> Result<NotePage, Fault> {
    let limit = match request.limit {
        0 => ListRequest::LIMIT_DEFAULT,
        limit => limit.min(ListRequest::LIMIT_MAX),
    };
    let after = match &request.cursor {
        Some(cursor) => Some(read_cursor(cursor, request)?),
        None => None,
    };
    let filter = Filter::of(request);
    let total: i64 = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM files f WHERE {}",
            filter.sql
        ))?
        .query_row(rusqlite::params_from_iter(&filter.values), |row| row.get(0))?;
    let mut page = filter;
    if let Some(after) = after {
        page.and("f.path > ?", [Value::Text(after)]);
    }
    // One more than wanted tells whether another page follows.
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut files: Vec<FileRow> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM files f WHERE {} ORDER BY f.path LIMIT {wanted}",
            page.sql
        ))?
        .query_map(rusqlite::params_from_iter(&page.values), FileRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    let is_last = files.len() <= limit;
    files.truncate(limit);
    let next_cursor = match files.last() {
        Some(last) if !is_last => Some(write_cursor(&last.path, request)),
        _ => None,
    };
    Ok(NotePage {
        notes: files.into_iter().map(summary).collect(),
        total: total.cast_unsigned(),
        next_cursor,
    })
}

struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    fn of(request: &ListRequest) -> Self {
        let mut filter = Self {
            sql: "f.kind = ?".to_owned(),
            values: vec![Value::Integer(FileKind::Note as i64)],
        };
        let folder = names::fold(request.folder.as_deref().unwrap_or("").trim_matches('/'));
        if !folder.is_empty() {
            filter.and("f.key > ? AND f.key < ?", below(&folder));
        }
        let tag = request
            .tag
            .as_deref()
            .map(|tag| tag.trim_start_matches('#'));
        if let Some(tag) = tag.map(names::fold).filter(|tag| !tag.is_empty()) {
            let [first, end] = below(&tag);
            filter.and(
                "f.id IN (SELECT file FROM tags WHERE key = ? OR (key > ? AND key < ?))",
                [Value::Text(tag), first, end],
            );
        }
        filter
    }

    fn and<const N: usize>(&mut self, sql: &str, values: [Value; N]) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }
}

/// The bounds of all texts that begin with `name/`; `0` is the character after `/`.
fn below(name: &str) -> [Value; 2] {
    [
        Value::Text(format!("{name}/")),
        Value::Text(format!("{name}0")),
    ]
}

/// A cursor is the last path of a page, with a mark of the request that it belongs to.
fn write_cursor(path: &str, request: &ListRequest) -> String {
    format!("{}{}", mark(request), hex(path.as_bytes()))
}

fn read_cursor(cursor: &str, request: &ListRequest) -> Result<String, Error> {
    cursor
        .strip_prefix(&mark(request))
        .and_then(unhex)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error::InvalidQuery {
            message: format!(
                "the cursor {cursor:?} does not belong to this listing; give the next_cursor of \
                 the former page and the same folder and tag, or no cursor to begin anew"
            ),
        })
}

fn mark(request: &ListRequest) -> String {
    let what = format!("{:?} {:?}", request.folder, request.tag);
    hex(&blake3::hash(what.as_bytes()).as_bytes()[..4])
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
