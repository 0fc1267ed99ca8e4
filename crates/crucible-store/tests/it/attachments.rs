//! Files that are no notes are handed over when the index knows them, up to a size.

use crucible_services::attachments::Attachments as _;
use crucible_services::data_store::Error;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_index_knows_as_an_attachment_is_handed_over() {
    let bench = Bench::with(&[("a.md", "# A"), ("p/Loaf.png", "bytes")]).await;
    // In the vault, and not yet in the index.
    bench.vault.write("new.png", "new");
    let ask = |path: &'static str| bench.store.attachment(path, 100);
    assert_eq!(ask("p/Loaf.png").await.unwrap(), "bytes");
    for other in [
        "a.md",
        "a",
        "new.png",
        "Loaf.png",
        "p/loaf.png",
        "/p/Loaf.png",
        "../p",
        "",
    ] {
        let answer = ask(other).await;
        assert!(
            matches!(answer, Err(Error::NotFound { .. })),
            "{other}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attachment_above_the_size_is_refused_also_when_it_grew_meanwhile() {
    let bench = Bench::with(&[("a.png", "12345")]).await;
    assert_eq!(bench.store.attachment("a.png", 5).await.unwrap(), "12345");
    let refused = |answer: Result<_, Error>| {
        let error = answer.unwrap_err().to_string();
        assert!(
            error.contains("bytes") && error.contains("a.png"),
            "{error}"
        );
    };
    refused(bench.store.attachment("a.png", 4).await);
    bench.vault.write("a.png", "123456");
    refused(bench.store.attachment("a.png", 5).await);
}
