//! Which notes a search may find at all: folder, tags, quoted phrases and exclusions, each as a
//! set of notes, decided before anything is ranked.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crucible_services::data_store::SearchRequest;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{BoostQuery, EnableScoring, Query as TantivyQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, SegmentReader, Term};

use super::analysis::Words;
use super::clause::Clause;
use super::query::{Query, Unit};
use super::record::{self, Record};
use super::schema::NOTE;
use super::view::{View, unreadable};
use super::{Error, fold};

/// Blocks of one phrase whose wording is looked at; those after them count by their stems.
const LITERAL_BLOCKS_MAX: usize = 2_000;

/// A set of notes.
type NoteSet = HashSet<i64, BuildHasherDefault<IdHasher>>;

/// The notes that a search may find.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// `None` for all.
    only: Option<NoteSet>,
    without: NoteSet,
}

impl Scope {
    /// Decides the scope of a search; `None` when it may find every note.
    pub(super) fn of(
        view: &View,
        query: &Query,
        request: &SearchRequest,
    ) -> Result<Option<Arc<Self>>, Error> {
        let mut scope = Self::default();
        let folder = request
            .folder
            .as_deref()
            .map(folder_key)
            .filter(|key| !key.is_empty());
        if let Some(key) = folder {
            scope.keep(keyed(view, view.fields.folder, &key)?);
        }
        for tag in &request.tags {
            let key = fold::key(tag.trim().trim_start_matches('#').trim_matches('/'));
            if !key.is_empty() {
                scope.keep(keyed(view, view.fields.tag, &key)?);
            }
        }
        for unit in query.units.iter().filter(|unit| unit.quoted) {
            scope.keep(literally(view, unit)?);
        }
        for unit in &query.excluded {
            if let Some(clause) = Clause::in_body(view, 0, unit)? {
                each(view, &*clause.query(), |_, note| {
                    scope.without.insert(note);
                    Ok(())
                })?;
            }
        }
        Ok((scope.only.is_some() || !scope.without.is_empty()).then(|| Arc::new(scope)))
    }

    fn keep(&mut self, notes: NoteSet) {
        match &mut self.only {
            Some(only) => only.retain(|note| notes.contains(note)),
            None => self.only = Some(notes),
        }
    }

    /// Whether a search may find this note.
    pub(super) fn admits(&self, note: i64) -> bool {
        !self.without.contains(&note) && self.only.as_ref().is_none_or(|only| only.contains(&note))
    }

    /// The scope as a clause that adds nothing to a score.
    pub(super) fn clause(self: &Arc<Self>) -> Box<dyn TantivyQuery> {
        let scope = Arc::clone(self);
        let predicate = FunctionPredicate::from(move |segment: &SegmentReader| {
            let notes = segment.fast_fields().i64(NOTE)?;
            let scope = Arc::clone(&scope);
            Ok(move |doc| notes.first(doc).is_some_and(|note| scope.admits(note)))
        });
        Box::new(BoostQuery::new(
            Box::new(DocPredicateQuery::from(predicate)),
            0.0,
        ))
    }
}

fn folder_key(folder: &str) -> String {
    fold::key(folder.trim().trim_start_matches("./").trim_matches('/'))
}

/// The notes whose lead has this key.
fn keyed(view: &View, field: Field, key: &str) -> Result<NoteSet, Error> {
    let query = TermQuery::new(Term::from_field_text(field, key), IndexRecordOption::Basic);
    let mut notes = NoteSet::default();
    each(view, &query, |_, note| {
        notes.insert(note);
        Ok(())
    })?;
    Ok(notes)
}

/// The notes with a block, or a title, in which the phrase stands as it is written.
fn literally(view: &View, unit: &Unit) -> Result<NoteSet, Error> {
    let mut notes = NoteSet::default();
    let mut looked_at = 0;
    if let Some(clause) = Clause::in_body(view, 0, unit)? {
        each(view, &*clause.query(), |address, note| {
            if notes.contains(&note) {
                return Ok(());
            }
            looked_at += 1;
            let bytes = view.record(address)?;
            let record = record::decode(&bytes).ok_or_else(unreadable)?;
            if looked_at > LITERAL_BLOCKS_MAX || says(&record, unit) {
                notes.insert(note);
            }
            Ok(())
        })?;
    }
    Ok(notes)
}

/// Calls `found` with every document that matches, and its note.
fn each(
    view: &View,
    query: &dyn TantivyQuery,
    mut found: impl FnMut(DocAddress, i64) -> Result<(), Error>,
) -> Result<(), Error> {
    let weight = query.weight(EnableScoring::disabled_from_searcher(&view.searcher))?;
    for ordinal in view.segments() {
        let segment = view.searcher.segment_reader(ordinal);
        let alive = segment.alive_bitset();
        let mut outcome = Ok(());
        weight.for_each_no_score(segment, &mut |documents| {
            for &document in documents {
                let address = DocAddress::new(ordinal, document);
                let is_alive = alive.is_none_or(|alive| alive.is_alive(document));
                if outcome.is_ok()
                    && is_alive
                    && let Some(note) = view.note(address)
                {
                    outcome = found(address, note);
                }
            }
        })?;
        outcome?;
    }
    Ok(())
}

fn says(record: &Record<'_>, unit: &Unit) -> bool {
    let lists = record.heading_path.iter().chain(&record.names).copied();
    let texts = [record.title, record.text].into_iter().chain(lists);
    let mut word = String::new();
    texts.into_iter().any(|text| {
        let mut words = Words::new(text);
        // How many words of the phrase each start that is still open has seen.
        let mut open: Vec<usize> = Vec::new();
        while words.next(&mut word).is_some() {
            open.push(0);
            open.retain_mut(|seen| {
                let goes_on = unit.words[*seen].literal == word;
                *seen += 1;
                goes_on
            });
            if open.first() == Some(&unit.words.len()) {
                return true;
            }
        }
        false
    })
}

/// Note numbers are small and spread by one multiplication.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        self.write_u64(id.cast_unsigned());
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0.rotate_left(5) ^ id)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}
