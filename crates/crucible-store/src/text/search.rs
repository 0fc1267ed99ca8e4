//! From a query to hits: candidates by BM25, which parts of the query each has, ranking, records.
//!
//! Only a bounded number of blocks is ever ranked ([`CANDIDATES`]), so a search costs the same in a
//! large vault as in a small one, apart from walking the postings.

use std::sync::Arc;

use crucible_services::data_store::{SearchHit, SearchRequest, Snippet};
use tantivy::collector::TopDocs;
use tantivy::query::{
    BooleanQuery, BoostQuery, EnableScoring, Occur, PhraseQuery, Query as TantivyQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Value};
use tantivy::{DocAddress, DocSet, Score, Searcher, TERMINATED, TantivyDocument, Term};

use super::Error;
use super::query::{Query, Unit};
use super::rank::{self, Block, Ranked};
use super::record;
use super::schema::{Fields, NOTE};
use super::scope::{Scope, unreadable};
use super::snippet::Highlighter;

/// How much more a word counts in a title.
const TITLE_BOOST: Score = 1.3;
/// How much a word counts that only begins like the one that is being typed.
const PREFIX_BOOST: Score = 0.3;
/// Words that the end of a query may stand for.
const PREFIX_TERMS_MAX: usize = 16;
/// Words of a segment, in the order of letters, that those are chosen from.
const PREFIX_TERMS_SEEN: usize = 256;
/// Blocks that are ranked, at least and per note asked for.
const CANDIDATES: usize = 100;
const CANDIDATES_PER_NOTE: usize = 4;
/// Notes of one name that are put first.
const NAMED_MAX: usize = 100;

/// A note found, with its best block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    /// The number that the note was added under.
    pub(crate) note_id: i64,
    /// Where the note is.
    pub(crate) path: String,
    /// Its title.
    pub(crate) title: String,
    /// The headings above the block.
    pub(crate) heading_path: Vec<String>,
    /// The block's first line, from 1.
    pub(crate) line: u64,
    /// The block's place in the note, from 0.
    pub(crate) ordinal: u32,
    /// A piece of the block.
    pub(crate) snippet: Snippet,
    /// Comparable within one answer only.
    pub(crate) score: f32,
}

impl From<Hit> for SearchHit {
    fn from(hit: Hit) -> Self {
        Self {
            path: hit.path,
            title: hit.title,
            heading_path: hit.heading_path,
            line: hit.line,
            snippet: hit.snippet,
            score: hit.score,
        }
    }
}

/// Answers `query` within the folder and tags of `request`.
pub(super) fn search(
    searcher: &Searcher,
    fields: Fields,
    query: &Query,
    request: &SearchRequest,
    highlighter: &mut Highlighter,
) -> Result<Vec<Hit>, Error> {
    let limit = request.limit.clamp(1, SearchRequest::LIMIT_MAX);
    let scope = Scope::of(searcher, fields, query, request)?;
    let search = Search {
        searcher,
        fields,
        scope,
    };
    let named = search.named(query)?;
    let mut units: Vec<_> = query
        .units
        .iter()
        .map(|unit| clauses(fields, unit))
        .collect();
    let weights: Vec<f32> = query
        .units
        .iter()
        .map(|unit| search.weight(unit))
        .collect::<Result<_, _>>()?;
    let mut blocks = search.blocks(&units, limit)?;
    let mut ranked = rank::collapse(&blocks, &weights, &named);
    let mut prefix = query.prefix.as_deref().filter(|_| ranked.len() < limit);
    if let Some(begun) = prefix
        && let Some(last) = units.last_mut()
    {
        let more = search.beginning_with(begun)?;
        if more.is_empty() {
            prefix = None;
        } else {
            last.extend(more);
            blocks = search.blocks(&units, limit)?;
            ranked = rank::collapse(&blocks, &weights, &named);
        }
    }
    highlighter.prepare(&query.units, prefix);
    search.hits(&ranked, limit, highlighter)
}

/// What finds a part of a query: one clause per field.
pub(super) fn clauses(fields: Fields, unit: &Unit) -> Vec<Box<dyn TantivyQuery>> {
    let title = BoostQuery::new(clause(fields.title, unit), TITLE_BOOST);
    vec![clause(fields.body, unit), Box::new(title)]
}

fn clause(field: Field, unit: &Unit) -> Box<dyn TantivyQuery> {
    let mut terms: Vec<Term> = unit
        .words
        .iter()
        .map(|word| Term::from_field_text(field, &word.stem))
        .collect();
    match terms.pop() {
        Some(term) if terms.is_empty() => {
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
        }
        last => Box::new(PhraseQuery::new(terms.into_iter().chain(last).collect())),
    }
}

/// The stored bytes of a block.
pub(super) fn record_of(
    searcher: &Searcher,
    fields: Fields,
    address: DocAddress,
) -> Result<Vec<u8>, Error> {
    let document: TantivyDocument = searcher.doc(address)?;
    let bytes = document
        .get_first(fields.record)
        .and_then(|value| value.as_bytes());
    bytes.map(<[u8]>::to_vec).ok_or_else(unreadable)
}

struct Search<'a> {
    searcher: &'a Searcher,
    fields: Fields,
    scope: Option<Arc<Scope>>,
}

impl Search<'_> {
    /// The best blocks that have any part of the query, best first.
    fn blocks(
        &self,
        units: &[Vec<Box<dyn TantivyQuery>>],
        limit: usize,
    ) -> Result<Vec<Block>, Error> {
        let any = units
            .iter()
            .flatten()
            .map(|clause| (Occur::Should, clause.box_clone()));
        let mut query: Box<dyn TantivyQuery> = Box::new(BooleanQuery::new(any.collect()));
        if let Some(scope) = &self.scope {
            query = Box::new(BooleanQuery::intersection(vec![scope.clause(), query]));
        }
        let count = CANDIDATES.max(limit * CANDIDATES_PER_NOTE);
        let found = self
            .searcher
            .search(&*query, &TopDocs::with_limit(count).order_by_score())?;
        let mut blocks = Vec::with_capacity(found.len());
        for (score, address) in found {
            let segment = self.searcher.segment_reader(address.segment_ord);
            let note = segment.fast_fields().i64(NOTE)?.first(address.doc_id);
            let note = note.ok_or_else(unreadable)?;
            blocks.push(Block {
                note,
                address,
                score,
                units: u32::from(units.len() == 1),
            });
        }
        if units.len() > 1 {
            self.mark(units, &mut blocks)?;
        }
        Ok(blocks)
    }

    /// Sets in every block the bits of the parts of the query that it has.
    fn mark(
        &self,
        units: &[Vec<Box<dyn TantivyQuery>>],
        blocks: &mut [Block],
    ) -> Result<(), Error> {
        let mut places: Vec<(DocAddress, usize)> =
            blocks.iter().map(|block| block.address).zip(0..).collect();
        places.sort_unstable();
        for (unit, clauses) in units.iter().enumerate() {
            for clause in clauses {
                let scoring = EnableScoring::disabled_from_searcher(self.searcher);
                let weight = clause.weight(scoring)?;
                for group in places.chunk_by(|a, b| a.0.segment_ord == b.0.segment_ord) {
                    let segment = self.searcher.segment_reader(group[0].0.segment_ord);
                    let mut postings = weight.scorer(segment, 1.0)?;
                    for &(address, place) in group {
                        if postings.doc() < address.doc_id {
                            postings.seek(address.doc_id);
                        }
                        if postings.doc() == address.doc_id {
                            blocks[place].units |= 1 << unit;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// How much a part of the query counts: the BM25 weight of its rarest word.
    fn weight(&self, unit: &Unit) -> Result<f32, Error> {
        let mut blocks = u64::MAX;
        for word in &unit.words {
            let mut having = 0;
            for field in [self.fields.title, self.fields.body] {
                having += self
                    .searcher
                    .doc_freq(&Term::from_field_text(field, &word.stem))?;
            }
            blocks = blocks.min(having);
        }
        let all = self.searcher.num_docs().max(blocks);
        #[expect(clippy::cast_precision_loss, reason = "a weight needs no more")]
        let (all, blocks) = (all as f32, blocks as f32);
        Ok(((all - blocks + 0.5) / (blocks + 0.5)).ln_1p())
    }

    /// The notes that are called like the query, with their leads.
    fn named(&self, query: &Query) -> Result<Vec<(i64, DocAddress)>, Error> {
        let Some(name) = &query.name else {
            return Ok(Vec::new());
        };
        let term = Term::from_field_text(self.fields.name, name);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let weight = query.weight(EnableScoring::disabled_from_searcher(self.searcher))?;
        let mut named = Vec::new();
        for (ordinal, segment) in (0..).zip(self.searcher.segment_readers()) {
            let notes = segment.fast_fields().i64(NOTE)?;
            let mut leads = weight.scorer(segment, 1.0)?;
            while leads.doc() != TERMINATED && named.len() < NAMED_MAX {
                let alive = segment
                    .alive_bitset()
                    .is_none_or(|alive| alive.is_alive(leads.doc()));
                if alive
                    && let Some(note) = notes.first(leads.doc())
                    && self.scope.as_ref().is_none_or(|scope| scope.admits(note))
                {
                    named.push((note, DocAddress::new(ordinal, leads.doc())));
                }
                leads.advance();
            }
        }
        Ok(named)
    }

    /// Clauses for the most frequent words that begin like `begun`.
    fn beginning_with(&self, begun: &str) -> Result<Vec<Box<dyn TantivyQuery>>, Error> {
        let mut clauses: Vec<Box<dyn TantivyQuery>> = Vec::new();
        for field in [self.fields.body, self.fields.title] {
            let mut words: Vec<(u32, String)> = Vec::new();
            for segment in self.searcher.segment_readers() {
                let index = segment.inverted_index(field)?;
                let terms = index.terms().range().ge(begun).into_stream();
                let mut terms = terms.map_err(tantivy::TantivyError::from)?;
                let room = words.len() + PREFIX_TERMS_SEEN;
                while words.len() < room
                    && let Some((term, info)) = terms.next()
                    && let Ok(word) = std::str::from_utf8(term)
                    && word.starts_with(begun)
                {
                    words.push((info.doc_freq, word.to_owned()));
                }
            }
            words.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let mut taken: Vec<String> = Vec::new();
            for (_, word) in words {
                if taken.len() < PREFIX_TERMS_MAX && !taken.contains(&word) {
                    let term = Term::from_field_text(field, &word);
                    let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
                    clauses.push(Box::new(BoostQuery::new(Box::new(query), PREFIX_BOOST)));
                    taken.push(word);
                }
            }
        }
        Ok(clauses)
    }

    /// Reads the records of the best notes. Equal scores stand in path order.
    fn hits(
        &self,
        ranked: &[Ranked],
        limit: usize,
        highlighter: &mut Highlighter,
    ) -> Result<Vec<Hit>, Error> {
        let last = ranked
            .get(limit - 1)
            .map_or(f32::NEG_INFINITY, |note| note.score);
        let mut shown = Vec::with_capacity(limit);
        for note in ranked.iter().take_while(|note| note.score >= last) {
            let bytes = record_of(self.searcher, self.fields, note.best)?;
            let path = record::decode(&bytes)
                .ok_or_else(unreadable)?
                .path
                .to_owned();
            shown.push((note, path, bytes));
        }
        shown.sort_by(|a, b| b.0.score.total_cmp(&a.0.score).then_with(|| a.1.cmp(&b.1)));
        shown.truncate(limit);
        let mut hits = Vec::with_capacity(shown.len());
        for (note, path, bytes) in shown {
            let record = record::decode(&bytes).ok_or_else(unreadable)?;
            hits.push(Hit {
                note_id: note.note,
                path,
                title: record.title.to_owned(),
                heading_path: record
                    .heading_path
                    .iter()
                    .map(|&text| text.to_owned())
                    .collect(),
                line: u64::from(record.line),
                ordinal: record.ordinal,
                snippet: highlighter.snippet(record.text),
                score: note.score,
            });
        }
        Ok(hits)
    }
}
