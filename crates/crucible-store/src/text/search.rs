//! From a query to hits: candidates by BM25, which parts of the query each has, ranking, records.
//!
//! Only a bounded number of blocks is ever ranked ([`CANDIDATES_MAX`]), so a search costs the same in a
//! large vault as in a small one, apart from walking the postings.

use std::collections::HashMap;
use std::sync::Arc;

use crucible_services::data_store::{ScoreParts, SearchHit, SearchRequest, Snippet};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, EnableScoring, Occur, Query as TantivyQuery, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Score, TERMINATED, Term};

use super::Error;
use super::clause::{Clause, Frequencies};
use super::fuse::{self, Shown};
use super::meaning::Vectors;
use super::query::Query;
use super::rank::{self, Block, Ranked};
use super::record;
use super::scope::Scope;
use super::snippet::Highlighter;
use super::view::{View, unreadable};

/// How much a word counts that only begins like the one that is being typed.
const PREFIX_BOOST: Score = 0.3;
/// Words that the end of a query may stand for.
const PREFIX_TERMS_MAX: usize = 8;
/// With fewer notes than this, the last word counts as a beginning.
const PREFIX_NOTES: usize = 5;
/// Words of a segment, in the order of letters, that those are chosen from.
const PREFIX_TERMS_SEEN: usize = 128;
/// Blocks that are ranked for each note that is asked for.
const CANDIDATES_PER_NOTE: usize = 3;
/// How many times as many are ranked when they belong to too few notes.
const CANDIDATES_MORE: usize = 8;
/// The most blocks that are ranked.
const CANDIDATES_MAX: usize = 4_000;
/// Notes by words, and blocks by meaning, that are fused at least.
const FUSED_MIN: usize = 100;
/// Blocks by meaning for each note that is asked for.
const NEAR_PER_NOTE: usize = 3;
/// In a hybrid search, blocks less near than this are not found. With all-MiniLM-L6-v2 on the example
/// vault, queries about something else come as near as 0.21 to some block, and all but one of 24
/// paraphrases nearer than 0.30 to the note that they mean.
const COSINE_MIN: f32 = 0.25;
/// How much the ranking by words counts when words are quoted.
const QUOTED_WEIGHT: f32 = 2.0;
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
    /// What the score came from.
    pub(crate) parts: ScoreParts,
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
            parts: hit.parts,
        }
    }
}

/// Answers `query` by words within the folder and tags of `request`.
pub(super) fn search(
    view: &View,
    query: &Query,
    request: &SearchRequest,
    highlighter: &mut Highlighter,
) -> Result<Vec<Hit>, Error> {
    let search = Search::of(view, query, request, limit_of(request))?;
    let ranked = by_words(&search, query, highlighter)?;
    let mut hits = search.hits(&fuse::lexical(&ranked), limit_of(request), highlighter)?;
    for (rank, hit) in (1..).zip(&mut hits) {
        hit.parts.lexical_rank = Some(rank); // equal scores have changed places
    }
    Ok(hits)
}

/// Answers `query` by meaning.
pub(super) fn semantic(
    view: &View,
    query: &Query,
    request: &SearchRequest,
    vectors: &Vectors<'_>,
    highlighter: &mut Highlighter,
) -> Result<Vec<Hit>, Error> {
    let limit = limit_of(request);
    let search = Search::of(view, query, request, limit)?;
    let count = FUSED_MIN.max(limit * NEAR_PER_NOTE);
    let near = vectors.notes(view, search.scope.as_ref(), count)?;
    highlighter.prepare(&query.units, None);
    search.hits(&fuse::semantic(&near), limit, highlighter)
}

/// Answers `query` by words and by meaning.
pub(super) fn hybrid(
    view: &View,
    query: &Query,
    request: &SearchRequest,
    vectors: &Vectors<'_>,
    highlighter: &mut Highlighter,
) -> Result<Vec<Hit>, Error> {
    let limit = limit_of(request);
    let search = Search::of(view, query, request, FUSED_MIN.max(limit))?;
    let mut ranked = by_words(&search, query, highlighter)?;
    ranked.truncate(search.limit);
    let count = FUSED_MIN.max(limit * NEAR_PER_NOTE);
    let mut near = vectors.notes(view, search.scope.as_ref(), count)?;
    near.retain(|note| note.cosine >= COSINE_MIN);
    let is_quoted = query.units.iter().any(|unit| unit.quoted);
    let weight = if is_quoted { QUOTED_WEIGHT } else { 1.0 };
    search.hits(&fuse::fuse(&ranked, &near, weight), limit, highlighter)
}

fn limit_of(request: &SearchRequest) -> usize {
    request.limit.clamp(1, SearchRequest::LIMIT_MAX)
}

/// Ranks notes by words, and readies `highlighter` for them.
fn by_words(
    search: &Search<'_>,
    query: &Query,
    highlighter: &mut Highlighter,
) -> Result<Vec<Ranked>, Error> {
    let (view, limit) = (search.view, search.limit);
    let named = search.named(query)?;
    let mut clauses = Vec::with_capacity(query.units.len() * 2);
    for (place, unit) in query.units.iter().enumerate() {
        clauses.extend(Clause::of_unit(view, place, unit)?);
    }
    let weights = search.weights(&clauses);
    let mut ranked = search.ranked(&clauses, &weights, &named)?;
    let few = limit.min(PREFIX_NOTES);
    let mut prefix = query.prefix.as_deref().filter(|_| ranked.len() < few);
    if let Some(begun) = prefix {
        let more = search.beginning_with(begun)?;
        if more.is_empty() {
            prefix = None;
        } else {
            clauses.extend(more);
            ranked = search.ranked(&clauses, &weights, &named)?;
        }
    }
    highlighter.prepare(&query.units, prefix);
    Ok(ranked)
}

struct Search<'a> {
    view: &'a View,
    scope: Option<Arc<Scope>>,
    /// How many parts the query has.
    units: usize,
    /// How many notes are ranked at least.
    limit: usize,
}

impl<'a> Search<'a> {
    fn of(
        view: &'a View,
        query: &Query,
        request: &SearchRequest,
        limit: usize,
    ) -> Result<Self, Error> {
        Ok(Self {
            view,
            scope: Scope::of(view, query, request)?,
            units: query.units.len(),
            limit,
        })
    }
}

impl Search<'_> {
    /// Ranks the best blocks; more of them when a few notes take all the places.
    ///
    /// Notes with all of the query stand first anyway, so when enough of them have it in one block, which
    /// is found much faster, the others are not looked for.
    fn ranked(
        &self,
        clauses: &[Clause],
        weights: &[f32],
        named: &[(i64, DocAddress)],
    ) -> Result<Vec<Ranked>, Error> {
        let mut count = self.limit * CANDIDATES_PER_NOTE;
        if self.units > 1 && self.may_fill(clauses) {
            let ranked = rank::collapse(&self.with_all(clauses, count)?, weights, named);
            if ranked.len() >= self.limit {
                return Ok(ranked);
            }
        }
        loop {
            let blocks = self.with_any(clauses, count)?;
            let ranked = rank::collapse(&blocks, weights, named);
            if ranked.len() >= self.limit || blocks.len() < count || count == CANDIDATES_MAX {
                return Ok(ranked);
            }
            count = CANDIDATES_MAX.min(count * CANDIDATES_MORE);
        }
    }

    /// Whether enough blocks can be expected to have every part of the query, if words that are asked for
    /// together stand together sixteen times as often as chance has it.
    fn may_fill(&self, clauses: &[Clause]) -> bool {
        let bodies = clauses.iter().filter(|clause| !clause.is_title(self.view));
        let all = self.view.searcher.num_docs().max(1);
        let mut expected = all;
        let mut rarest = all;
        for blocks in bodies.map(Clause::blocks) {
            expected =
                u64::try_from(u128::from(expected) * u128::from(blocks) * 16 / u128::from(all))
                    .unwrap_or(u64::MAX)
                    .min(blocks);
            rarest = rarest.min(blocks);
        }
        rarest.min(expected) >= self.limit as u64
    }

    /// The `count` best blocks that have every part of the query, best first.
    fn with_all(&self, clauses: &[Clause], count: usize) -> Result<Vec<Block>, Error> {
        let mut having = vec![0_u32; self.units];
        let all = clauses.iter().map(|clause| {
            if clause.is_title(self.view) {
                return (Occur::Should, clause.query());
            }
            having[clause.unit] += 1;
            (Occur::Must, clause.query())
        });
        let query = BooleanQuery::new(all.collect());
        if having.iter().any(|&bodies| bodies != 1) {
            return Ok(Vec::new());
        }
        let units = u32::try_from((1_u64 << self.units) - 1).unwrap_or(u32::MAX);
        self.best(Box::new(query), clauses, count, units)
    }

    /// The `count` best blocks that have any part of the query, best first.
    fn with_any(&self, clauses: &[Clause], count: usize) -> Result<Vec<Block>, Error> {
        let any = clauses.iter().map(|clause| (Occur::Should, clause.query()));
        let query = BooleanQuery::new(any.collect());
        let mut blocks = self.best(Box::new(query), clauses, count, u32::from(self.units == 1))?;
        if self.units > 1 {
            self.mark(clauses, &mut blocks)?;
        }
        Ok(blocks)
    }

    /// The `count` best blocks that a query finds within the scope, best first.
    fn best(
        &self,
        mut query: Box<dyn TantivyQuery>,
        clauses: &[Clause],
        count: usize,
        units: u32,
    ) -> Result<Vec<Block>, Error> {
        if let Some(scope) = &self.scope {
            query = Box::new(BooleanQuery::intersection(vec![scope.clause(), query]));
        }
        let found = self.view.searcher.search_with_statistics_provider(
            &*query,
            &TopDocs::with_limit(count).order_by_score(),
            &Frequencies::new(self.view, clauses),
        )?;
        let block = |(score, address)| {
            let note = self.view.note(address).ok_or_else(unreadable)?;
            Ok(Block {
                note,
                address,
                score,
                units,
            })
        };
        found.into_iter().map(block).collect()
    }

    /// Sets in every block the bits of the parts of the query that it has.
    fn mark(&self, clauses: &[Clause], blocks: &mut [Block]) -> Result<(), Error> {
        let mut places: Vec<(DocAddress, usize)> =
            blocks.iter().map(|block| block.address).zip(0..).collect();
        places.sort_unstable();
        for clause in clauses.iter().filter(|clause| !clause.is_title(self.view)) {
            for group in places.chunk_by(|a, b| a.0.segment_ord == b.0.segment_ord) {
                let Some(mut documents) = clause.documents(self.view, group[0].0.segment_ord)?
                else {
                    continue;
                };
                for &(address, place) in group {
                    if documents.doc() < address.doc_id {
                        documents.seek(address.doc_id);
                    }
                    if documents.doc() == address.doc_id {
                        blocks[place].units |= 1 << clause.unit;
                    }
                }
            }
        }
        Ok(())
    }

    /// How much each part of the query counts: the BM25 weight of its rarest word.
    fn weights(&self, clauses: &[Clause]) -> Vec<f32> {
        let mut having = vec![0; self.units];
        for clause in clauses.iter().filter(|clause| !clause.is_title(self.view)) {
            having[clause.unit] += clause.blocks();
        }
        let all = self.view.searcher.num_docs();
        let weight = |blocks: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a weight needs no more")]
            let (all, blocks) = (all.max(blocks) as f32, blocks as f32);
            ((all - blocks + 0.5) / (blocks + 0.5)).ln_1p()
        };
        having.into_iter().map(weight).collect()
    }

    /// The notes that are called like the query, with their leads.
    fn named(&self, query: &Query) -> Result<Vec<(i64, DocAddress)>, Error> {
        let Some(name) = &query.name else {
            return Ok(Vec::new());
        };
        let term = Term::from_field_text(self.view.fields.name, name);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.view.searcher))?;
        let mut named = Vec::new();
        for ordinal in self.view.segments() {
            let segment = self.view.searcher.segment_reader(ordinal);
            let mut leads = weight.scorer(segment, 1.0)?;
            while leads.doc() != TERMINATED && named.len() < NAMED_MAX {
                let address = DocAddress::new(ordinal, leads.doc());
                let is_alive = segment
                    .alive_bitset()
                    .is_none_or(|alive| alive.is_alive(leads.doc()));
                if is_alive
                    && let Some(note) = self.view.note(address)
                    && self.scope.as_ref().is_none_or(|scope| scope.admits(note))
                {
                    named.push((note, address));
                }
                leads.advance();
            }
        }
        Ok(named)
    }

    /// Clauses for the most frequent words that begin like `begun`, for the last part of the
    /// query.
    fn beginning_with(&self, begun: &str) -> Result<Vec<Clause>, Error> {
        let mut clauses = Vec::new();
        for field in [self.view.fields.body, self.view.fields.title] {
            let mut words: HashMap<String, u32> = HashMap::new();
            for segment in self.view.segments() {
                let terms = self
                    .view
                    .words(segment, field)
                    .terms()
                    .range()
                    .ge(begun)
                    .into_stream();
                let mut terms = terms.map_err(tantivy::TantivyError::from)?;
                for _ in 0..PREFIX_TERMS_SEEN {
                    let Some((term, info)) = terms.next() else {
                        break;
                    };
                    match std::str::from_utf8(term) {
                        Ok(word) if word.starts_with(begun) => {
                            *words.entry(word.to_owned()).or_default() += info.doc_freq;
                        }
                        _ => break,
                    }
                }
            }
            let mut words: Vec<(String, u32)> = words.into_iter().collect();
            words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            for (word, _) in words.iter().take(PREFIX_TERMS_MAX) {
                let last = self.units - 1;
                clauses.extend(Clause::of_word(self.view, last, field, word, PREFIX_BOOST)?);
            }
        }
        Ok(clauses)
    }

    /// Reads the records of the best notes. Equal scores stand in path order.
    fn hits(
        &self,
        ranked: &[Shown],
        limit: usize,
        highlighter: &mut Highlighter,
    ) -> Result<Vec<Hit>, Error> {
        let last = ranked
            .get(limit - 1)
            .map_or(f32::NEG_INFINITY, |note| note.score);
        let shown = ranked.iter().take_while(|note| note.score >= last);
        let records = shown.map(|note| Ok((note, self.view.record(note.best)?)));
        let records = records.collect::<Result<Vec<_>, Error>>()?;
        let read = |(note, record)| Some((note, record::decode(record)?));
        let read = records.iter().map(|(note, record)| read((note, record)));
        let mut shown = read
            .collect::<Option<Vec<(&&Shown, _)>>>()
            .ok_or_else(unreadable)?;
        shown
            .sort_by(|(a, x), (b, y)| b.score.total_cmp(&a.score).then_with(|| x.path.cmp(y.path)));
        let hits = shown.iter().take(limit).map(|(note, record)| Hit {
            note_id: note.note,
            path: record.path.to_owned(),
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
            parts: note.parts,
        });
        Ok(hits.collect())
    }
}
