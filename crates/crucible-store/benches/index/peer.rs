//! The peers: tantivy as one uses it straight from its documentation, and a walk that stats.

use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{
    Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::snippet::SnippetGenerator;
use tantivy::{Index, IndexWriter, Searcher, TantivyDocument};

use crate::Outcome;
use crate::blocks::PeerBlock;

const MEMORY_BYTES: usize = 128 << 20;
const THREADS: usize = 2;

/// Indexes all blocks with one commit at the end.
pub(crate) fn index(dir: &Path, blocks: &[PeerBlock]) -> Outcome<Index> {
    std::fs::create_dir_all(dir)?;
    let mut schema = Schema::builder();
    let stemmed = TextFieldIndexing::default()
        .set_tokenizer("en_stem")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let options = TextOptions::default().set_indexing_options(stemmed) | STORED;
    let title = schema.add_text_field("title", options.clone());
    let body = schema.add_text_field("body", options);
    let index = Index::create_in_dir(dir, schema.build())?;
    let mut writer: IndexWriter = index.writer_with_num_threads(THREADS, MEMORY_BYTES)?;
    for block in blocks {
        let mut document = TantivyDocument::new();
        document.add_text(title, &block.title);
        document.add_text(body, &block.text);
        writer.add_document(document)?;
    }
    writer.commit()?;
    Ok(index)
}

/// An index ready for queries.
pub(crate) struct Searching {
    searcher: Searcher,
    parser: QueryParser,
    title: Field,
    body: Field,
}

impl Searching {
    pub(crate) fn new(index: &Index) -> Outcome<Self> {
        let title = index.schema().get_field("title")?;
        let body = index.schema().get_field("body")?;
        let mut parser = QueryParser::for_index(index, vec![title, body]);
        parser.set_field_boost(title, 1.3);
        Ok(Self {
            searcher: index.reader()?.searcher(),
            parser,
            title,
            body,
        })
    }

    /// The ten best blocks with title and snippet; returns how many.
    pub(crate) fn search(&self, query: &str) -> Outcome<usize> {
        let (query, _) = self.parser.parse_query_lenient(query);
        let found = self
            .searcher
            .search(&query, &TopDocs::with_limit(10).order_by_score())?;
        let generator = SnippetGenerator::create(&self.searcher, &*query, self.body)?;
        let mut hits = Vec::with_capacity(found.len());
        for (score, address) in found {
            let document: TantivyDocument = self.searcher.doc(address)?;
            let title = document
                .get_first(self.title)
                .and_then(|value| value.as_str());
            let title = title.unwrap_or_default().to_owned();
            let snippet = generator.snippet_from_doc(&document);
            hits.push((
                score,
                title,
                snippet.fragment().to_owned(),
                snippet.highlighted().to_vec(),
            ));
        }
        Ok(std::hint::black_box(hits).len())
    }
}

/// Walks the vault and asks for the size and time of every file.
pub(crate) fn stat_walk(vault: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in ignore::WalkBuilder::new(vault)
        .standard_filters(false)
        .hidden(true)
        .build()
    {
        let metadata = entry?.metadata()?;
        std::hint::black_box(metadata.modified()?);
        bytes += metadata.len();
    }
    Ok(bytes)
}
