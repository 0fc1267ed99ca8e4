//! Who comes first, who waits, and what becomes of both at the end.

use super::*;

/// A request that keeps the worker busy: much to compute, and nobody waits for it.
fn long_request() -> EmbedRequest {
    let texts: Vec<String> = (0..20_000)
        .map(|n| format!("a b c a b c a b c {n}"))
        .collect();
    EmbedRequest {
        model: Some("m".to_owned()),
        texts,
        urgency: Urgency::Background,
    }
}

impl Place {
    /// Waits until the worker has begun with something.
    async fn busy(&self) {
        loop {
            let health = self.service.health_check().await.unwrap();
            if health.details["texts"].as_u64().unwrap() > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn question_is_answered_before_what_is_done_in_the_background() {
    let place = Place::new(config()).await;
    let background = place.service.embed(long_request());
    let question = async {
        place.busy().await;
        place.embed(&["hello"]).await.unwrap();
    };
    tokio::select! {
        biased;
        () = question => {}
        answer = background => panic!("the background came first: {:?}", answer.map(|a| a.tokens)),
    }
    place.stop().await;
}

#[tokio::test]
async fn full_queue_refuses_and_says_when_to_come_back() {
    let place = Place::new(InferenceConfig {
        queue_max: 1,
        ..config()
    })
    .await;
    let background = place.service.embed(long_request());
    let refused = async {
        place.busy().await;
        // The first is at work or waits to go on; with these, more wait than may.
        let many = (0..3).map(|_| place.embed(&["hello"]));
        let answers = futures_util::future::join_all(many).await;
        let busy = |answer: &Result<Embeddings, Error>| {
            matches!(
                answer,
                Err(Error::Busy {
                    retry_after: Some(_),
                    ..
                })
            )
        };
        assert!(answers.iter().any(busy), "{answers:?}");
    };
    tokio::select! {
        biased;
        () = refused => {}
        _ = background => panic!("the background came first"),
    }
    place.stop().await;
}

#[tokio::test]
async fn request_that_is_given_up_is_not_finished() {
    let place = Place::new(config()).await;
    {
        let mut background = std::pin::pin!(place.service.embed(long_request()));
        tokio::select! {
            biased;
            () = place.busy() => {}
            _ = &mut background => panic!("the background came first"),
        }
    }
    // In the same lane, so that this is answered after the other's turn.
    let next = request("m", &["hello"], Urgency::Background);
    place.service.embed(next).await.unwrap();
    let health = place.service.health_check().await.unwrap();
    assert!(
        health.details["texts"].as_u64().unwrap() < 20_000,
        "{health:?}"
    );
    assert_eq!(health.details["queued"], json!(0));
    place.stop().await;
}

#[tokio::test]
async fn stop_ends_what_is_under_way_and_gives_everything_back() {
    let mut place = Place::new(config()).await;
    let service = Arc::clone(&place.service);
    let background = service.embed(long_request());
    let stop = async {
        place.busy().await;
        place.stop().await;
    };
    let (answer, ()) = tokio::join!(background, stop);
    assert!(
        matches!(answer, Err(Error::Failed(_))),
        "{:?}",
        answer.map(|a| a.tokens)
    );
    assert!(place.event(unloaded).await.1.contains("stops"));
    let late = place.embed(&["hello"]).await.unwrap_err();
    assert!(late.to_string().contains("not running"), "{late}");
}

#[tokio::test]
async fn deadline_ends_the_wait() {
    let place = Place::new(InferenceConfig {
        timeout: Duration::from_nanos(1),
        ..config()
    })
    .await;
    let background = (0..4).map(|_| place.service.embed(long_request()));
    let background = futures_util::future::join_all(background);
    let late = async {
        place.busy().await;
        // One text adds a quarter of a second to the deadline; what is before it takes longer.
        let next = request("m", &["hello"], Urgency::Background);
        place.service.embed(next).await
    };
    tokio::select! {
        biased;
        answer = late => assert!(matches!(answer, Err(Error::TimedOut { .. })), "{answer:?}"),
        _ = background => panic!("the background came first"),
    }
    place.stop().await;
}
