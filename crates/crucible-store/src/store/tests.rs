//! What cannot be provoked from outside: facts that may not grow.

use async_trait::async_trait;
use bytes::Bytes;
use crucible_services::data_store::DataStore as _;
use crucible_services::note_index::{
    Applied, ChangeBatch, ChangeOrigin, FileChange, FileContent, FileStamp, NoteIndex as _,
};

use super::*;

struct NoFiles;

#[async_trait]
impl NoteSource for NoFiles {
    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        Err(Error::NotFound {
            reference: path.to_owned(),
            candidates: Vec::new(),
        })
    }
}

async fn put(store: &Store, path: &str, text: String) -> Result<Applied, Error> {
    let stamp = FileStamp {
        size: text.len() as u64,
        modified_ns: 1,
        inode: 1,
    };
    let change = FileChange::Upsert {
        path: path.to_owned(),
        stamp,
        content: FileContent::Note(text.into()),
    };
    let batch = ChangeBatch {
        cause: None,
        changes: vec![change],
        origin: ChangeOrigin::Change,
    };
    store.apply(batch).await
}

async fn limit(store: &Store, pages: u32) {
    let command = store.command(|reply| Command::LimitPages { pages, reply });
    command.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_cannot_grow_refuse_a_batch_whole_and_take_it_later() {
    let place = tempfile::tempdir().unwrap();
    let config = StoreConfig::new(place.path());
    let store = Store::open(config, Arc::new(NoFiles)).await.unwrap();
    put(&store, "small.md", "small".to_owned()).await.unwrap();
    let large = "# heading\n\nSome words and a [[link]].\n\n".repeat(3000);

    limit(&store, 1).await; // as small as it is now
    let refused = put(&store, "large.md", large.clone()).await.unwrap_err();
    assert!(
        refused.to_string().contains("the disk is full"),
        "{refused}"
    );
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.notes, stats.links), (1, 0));
    assert_eq!(store.inner.shared.damage(), None);

    limit(&store, u32::MAX - 1).await;
    assert_eq!(put(&store, "large.md", large).await.unwrap().parsed, 1);
    store.settle().await.unwrap();
    assert_eq!(store.stats().await.unwrap().notes, 2);
    store.close().await;
}
