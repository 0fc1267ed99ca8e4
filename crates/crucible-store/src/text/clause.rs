//! The parts of a query as the library looks for them: a word or a phrase in one field.
//!
//! Looking a word up in the dictionaries of all segments is a good part of what a search costs, so it is
//! done once and remembered for scoring, for weighing, and for saying which block has which part.

use std::collections::HashMap;

use tantivy::postings::TermInfo;
use tantivy::query::{
    Bm25StatisticsProvider, BoostQuery, EnableScoring, PhraseQuery, Query as TantivyQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, Score, SegmentOrdinal, TantivyError, Term};

use super::Error;
use super::query::Unit;
use super::view::View;

/// How much more a word counts in a title.
const TITLE_BOOST: Score = 1.3;

/// How many words a title has, more or less.
const TITLE_WORDS: u64 = 4;

/// A word or phrase in one field that is there at all.
pub(super) struct Clause {
    /// The part of the query that it stands for.
    pub(super) unit: usize,
    words: Vec<Found>,
    boost: Score,
}

/// A word of one field and where it is.
struct Found {
    term: Term,
    /// Per segment.
    places: Vec<Option<TermInfo>>,
    /// How many blocks have it.
    blocks: u64,
}

impl Clause {
    /// The clauses of a part of the query; none when one of its words is nowhere.
    pub(super) fn of_unit(view: &View, place: usize, unit: &Unit) -> Result<Vec<Self>, Error> {
        let body = Self::in_body(view, place, unit)?;
        let title = match body {
            Some(_) => Self::in_field(view, view.fields.title, TITLE_BOOST, place, unit)?,
            None => None,
        };
        Ok(body.into_iter().chain(title).collect())
    }

    /// The clause that finds a part of the query wherever it is; titles are in the body too.
    pub(super) fn in_body(view: &View, place: usize, unit: &Unit) -> Result<Option<Self>, Error> {
        Self::in_field(view, view.fields.body, 1.0, place, unit)
    }

    fn in_field(
        view: &View,
        field: Field,
        boost: Score,
        place: usize,
        unit: &Unit,
    ) -> Result<Option<Self>, Error> {
        let found = unit
            .words
            .iter()
            .map(|word| Found::look_up(view, field, &word.stem));
        let words = found.collect::<Result<Option<Vec<Found>>, Error>>()?;
        Ok(words.map(|words| Self {
            unit: place,
            words,
            boost,
        }))
    }

    /// A single word of one field.
    pub(super) fn of_word(
        view: &View,
        unit: usize,
        field: Field,
        word: &str,
        boost: Score,
    ) -> Result<Option<Self>, Error> {
        let found = Found::look_up(view, field, word)?;
        Ok(found.map(|found| Self {
            unit,
            words: vec![found],
            boost,
        }))
    }

    /// Whether it only adds weight to what another clause finds.
    pub(super) fn is_title(&self, view: &View) -> bool {
        self.words
            .iter()
            .all(|word| word.term.field() == view.fields.title)
    }

    /// How many blocks can have it at most.
    pub(super) fn blocks(&self) -> u64 {
        self.words.iter().map(|word| word.blocks).min().unwrap_or(0)
    }

    /// The clause as the library takes it.
    pub(super) fn query(&self) -> Box<dyn TantivyQuery> {
        let terms = || self.words.iter().map(|word| word.term.clone());
        let query: Box<dyn TantivyQuery> = match self.words.as_slice() {
            [word] => Box::new(TermQuery::new(
                word.term.clone(),
                IndexRecordOption::WithFreqs,
            )),
            _ => Box::new(PhraseQuery::new(terms().collect())),
        };
        Box::new(BoostQuery::new(query, self.boost))
    }

    /// The documents of a segment that have it.
    pub(super) fn documents(
        &self,
        view: &View,
        segment: SegmentOrdinal,
    ) -> Result<Option<Box<dyn DocSet>>, Error> {
        if let [word] = self.words.as_slice() {
            let Some(place) = &word.places[segment as usize] else {
                return Ok(None);
            };
            let words = view.words(segment, word.term.field());
            let postings = words.read_postings_from_terminfo(place, IndexRecordOption::Basic);
            return Ok(Some(Box::new(postings.map_err(TantivyError::from)?)));
        }
        let scoring = EnableScoring::disabled_from_searcher(&view.searcher);
        let scorer = self
            .query()
            .weight(scoring)?
            .scorer(view.searcher.segment_reader(segment), 1.0)?;
        Ok(Some(Box::new(scorer)))
    }
}

impl Found {
    fn look_up(view: &View, field: Field, word: &str) -> Result<Option<Self>, Error> {
        let term = Term::from_field_text(field, word);
        let mut places = Vec::with_capacity(view.segments().len());
        let mut blocks = 0;
        for segment in view.segments() {
            let place = view
                .words(segment, field)
                .get_term_info(&term)
                .map_err(TantivyError::from)?;
            blocks += place.as_ref().map_or(0, |place| u64::from(place.doc_freq));
            places.push(place);
        }
        Ok((blocks > 0).then_some(Self {
            term,
            places,
            blocks,
        }))
    }
}

/// What BM25 asks about the words of some clauses, from what was looked up.
///
/// A word is as rare in a title as it is anywhere: titles stand in leads only, and their own counts
/// would make every word of a title look rare.
pub(super) struct Frequencies<'a> {
    view: &'a View,
    known: HashMap<(Field, &'a [u8]), u64>,
}

impl<'a> Frequencies<'a> {
    pub(super) fn new(view: &'a View, clauses: &'a [Clause]) -> Self {
        let words = clauses.iter().flat_map(|clause| &clause.words);
        let known = words.map(|word| {
            (
                (word.term.field(), word.term.serialized_value_bytes()),
                word.blocks,
            )
        });
        Self {
            view,
            known: known.collect(),
        }
    }
}

impl Bm25StatisticsProvider for Frequencies<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        if field == self.view.fields.title {
            return Ok(self.total_num_docs()? * TITLE_WORDS);
        }
        let count = |segment| self.view.words(segment, field).total_num_tokens();
        Ok(self.view.segments().map(count).sum())
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.view.searcher.total_num_docs()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        match self
            .known
            .get(&(self.view.fields.body, term.serialized_value_bytes()))
        {
            Some(&blocks) => Ok(blocks),
            None => self.view.searcher.doc_freq(term),
        }
    }
}
