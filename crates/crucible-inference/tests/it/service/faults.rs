//! Models that are missing or broken, and texts that nobody expects.

use super::*;

#[tokio::test]
async fn missing_model_is_named_with_how_to_get_it() {
    let place = Place::without_models(InferenceConfig::default()).await;
    let request = EmbedRequest {
        model: None,
        texts: vec!["hello".to_owned()],
        urgency: Urgency::Interactive,
    };
    let error = place.service.embed(request).await.unwrap_err();
    assert_eq!(Err(error.clone()), place.service.embedding_model().await);
    let Error::ModelMissing { model, hint } = error else {
        panic!("{error:?}");
    };
    assert_eq!(model, "all-MiniLM-L6-v2");
    assert!(
        hint.contains("crucible models pull all-MiniLM-L6-v2"),
        "{hint}"
    );
    assert!(hint.contains("wheel"), "{hint}");
    place.stop().await;
}

#[tokio::test]
async fn names_that_are_no_names_are_missing_models() {
    let place = Place::new(config()).await;
    for name in ["../m", "", "m\0", "local/../m"] {
        let error = place.embed_with(name, &["hello"]).await.unwrap_err();
        assert!(
            matches!(error, Error::ModelMissing { .. }),
            "{name:?}: {error:?}"
        );
    }
    place.embed_with("local/m", &["hello"]).await.unwrap();
    place.stop().await;
}

#[tokio::test]
async fn broken_model_is_told_and_the_service_goes_on() {
    let mut place = Place::new(config()).await;
    let weights = tiny::weights(0.5);
    for (file, content) in [
        ("model.safetensors", weights[..weights.len() / 2].to_vec()),
        ("model.safetensors", b"<html>".repeat(100)),
        ("model.safetensors", Vec::new()),
        ("vocab.txt", vec![0xff; 100]),
        ("config.json", b"{".to_vec()),
    ] {
        tiny::write(&place.model("m"));
        std::fs::write(place.model("m").join(file), content).unwrap();
        let error = place.embed(&["hello"]).await.unwrap_err();
        assert!(
            matches!(error, Error::ModelBroken { .. }),
            "{file}: {error:?}"
        );
        let failed = |event| matches!(event, InferenceEventType::Failed { .. }).then_some(());
        place.event(failed).await;
    }
    place.embed_with("other", &["hello"]).await.unwrap();
    let health = place.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    place.stop().await;
}

#[tokio::test]
async fn text_of_10_mb_is_cut_to_what_the_model_reads() {
    let place = Place::new(config()).await;
    let long = "hello ".repeat(10 << 20);
    let whole = place.embed(&[&long]).await.unwrap();
    assert_eq!(whole.tokens, 16);
    let start = place.embed(&[&long[..16 * 256]]).await.unwrap();
    assert_eq!(whole.vectors, start.vectors);
    for text in [
        "x".repeat(10 << 20),
        "\u{301}".repeat(5 << 20),
        " ".repeat(10 << 20),
    ] {
        place.embed(&[&text]).await.unwrap();
    }
    place.stop().await;
}

#[tokio::test]
async fn texts_that_nobody_writes_get_vectors() {
    let place = Place::new(config()).await;
    let texts = [
        "",
        "\0",
        "\0\0hello\0",
        "\u{feff}",
        "\u{10ffff}",
        "🦀🦀",
        "\r\n\t",
    ];
    let embeddings = place.embed(&texts).await.unwrap();
    assert_eq!(embeddings.vectors.len(), texts.len());
    let finite = |vector: &Vec<f32>| vector.iter().all(|value| value.is_finite());
    assert!(embeddings.vectors.iter().all(finite));
    assert_eq!(embeddings.vectors[0], embeddings.vectors[1]);
    place.stop().await;
}

#[tokio::test]
async fn ten_thousand_texts_come_back_in_their_order() {
    let place = Place::new(config()).await;
    let words = ["hello", "world", "note", "a", "b", "c"];
    let texts: Vec<String> = (0..10_000)
        .map(|n| format!("{} {}", words[n % 6], words[n / 6 % 6]))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = place.embed(&texts).await.unwrap();
    let some = place.embed_with("other", &texts[..36]).await.unwrap();
    for (index, vector) in all.vectors.iter().enumerate() {
        let expected = &some.vectors[index % 36];
        let cosine: f32 = vector.iter().zip(expected).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999_99, "{index}: {cosine}");
    }
    place.stop().await;
}

#[tokio::test]
async fn requests_that_are_too_much_are_refused_with_the_limit() {
    let place = Place::new(config()).await;
    for texts in [vec![], vec!["a"; 20_001]] {
        let error = place.embed(&texts).await.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
    }
    place.stop().await;
}
