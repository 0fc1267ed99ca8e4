use serde_json::{Value, json};

use super::*;

fn read(value: Value) -> Result<ProvidersConfig, String> {
    let config: ProvidersConfig = serde_json::from_value(value).map_err(|e| e.to_string())?;
    config.validate().map_err(|e| e.to_string())?;
    Ok(config)
}

/// Reads one provider with `change` over what every one needs.
fn one(change: Value) -> Result<ProviderConfig, String> {
    let mut entry = json!({ "name": "p", "kind": "openai" });
    let Value::Object(change) = change else {
        panic!("not an object");
    };
    entry.as_object_mut().unwrap().extend(change);
    read(json!([entry])).map(|config| config.list[0].clone())
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = one(json!({})).unwrap();
    assert_eq!(config, ProviderConfig::new("p", ProviderKind::OpenAi));
    assert_eq!(config.timeout, Duration::from_secs(600));
}

#[test]
fn durations_are_read_and_written_with_their_unit() {
    let config = one(json!({ "timeout": "90s", "retry": { "wait_first": "250ms" } })).unwrap();
    assert_eq!(config.timeout, Duration::from_secs(90));
    assert_eq!(config.retry.wait_first, Duration::from_millis(250));
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["idle_timeout"], "30s");
    assert_eq!(
        serde_json::from_value::<ProviderConfig>(written).unwrap(),
        config
    );
    assert!(one(json!({ "timeout": 90 })).is_err());
}

#[test]
fn model_is_a_name_or_a_table() {
    let config = one(json!({ "models": [
        "gpt", "text-embedding-3-small",
        { "name": "small", "upstream": "gpt-nano" },
        { "name": "v", "dimensions": 3 },
    ] }))
    .unwrap();
    let seen: Vec<_> = config
        .models
        .iter()
        .map(|m| (m.name.as_str(), m.upstream(), m.embeds))
        .collect();
    assert_eq!(
        seen,
        [
            ("gpt", "gpt", false),
            ("text-embedding-3-small", "text-embedding-3-small", true),
            ("small", "gpt-nano", false),
            ("v", "v", true),
        ]
    );
    assert!(one(json!({ "models": [{ "name": "a", "upstrem": "b" }] })).is_err());
}

#[test]
fn bad_settings_are_refused_with_the_field() {
    for (change, named) in [
        (json!({ "api_key": "sk-123" }), "api_key"),
        (json!({ "name": "a/b" }), "name"),
        (json!({ "name": "local" }), "local"),
        (json!({ "kind": "openal" }), "openal"),
        (json!({ "timeout": "0s" }), "timeout"),
        (json!({ "requests_max": 0 }), "requests_max"),
        (
            json!({ "retry": { "attempts_max": 0 } }),
            "retry.attempts_max",
        ),
        (
            json!({ "api_key_env": "A", "api_key_file": "/b" }),
            "api_key_file",
        ),
        (json!({ "base_url": "nonsense" }), "base_url"),
        (json!({ "base_url": "ftp://example.com" }), "ftp"),
        (
            json!({ "base_url": "https://a:sk-123@example.com" }),
            "api_key_env",
        ),
        (json!({ "base_url": "https://example.com/?key=1" }), "query"),
    ] {
        let fault = one(change.clone()).unwrap_err();
        assert!(fault.contains(named), "{change}: {fault}");
        assert!(!fault.contains("sk-123"), "{fault}");
    }
    let twice = json!([{ "name": "p", "kind": "openai" }, { "name": "p", "kind": "ollama" }]);
    assert!(read(twice).unwrap_err().contains("two"));
}

#[test]
fn plain_http_stays_on_this_machine_unless_allowed() {
    for own in [
        "http://127.0.0.1:1",
        "http://localhost:1/v1",
        "http://[::1]:1",
        "http://127.9.9.9",
    ] {
        assert!(one(json!({ "base_url": own })).is_ok(), "{own}");
    }
    for other in [
        "http://example.com",
        "http://10.0.0.1/v1",
        "http://localhost.example.com",
    ] {
        let fault = one(json!({ "base_url": other })).unwrap_err();
        assert!(fault.contains("allow_plain_http"), "{other}: {fault}");
        let allowed = json!({ "base_url": other, "allow_plain_http": true });
        assert!(one(allowed).is_ok(), "{other}");
    }
}

#[test]
fn address_gets_the_path_of_its_kind() {
    use ProviderKind::{Anthropic, Ollama, OpenAi};
    for (kind, given, base) in [
        (OpenAi, "", "https://api.openai.com/v1"),
        (OpenAi, "http://localhost:8000", "http://localhost:8000/v1"),
        (
            OpenAi,
            "https://example.com/openai/v1/",
            "https://example.com/openai/v1",
        ),
        (
            OpenAi,
            "https://example.com/v1beta/openai/",
            "https://example.com/v1beta/openai",
        ),
        (Ollama, "", "http://127.0.0.1:11434/api"),
        (
            Ollama,
            "http://localhost:11434/api",
            "http://localhost:11434/api",
        ),
        (Anthropic, "", "https://api.anthropic.com/v1"),
        (
            Anthropic,
            "https://example.com/proxy",
            "https://example.com/proxy/v1",
        ),
        (
            Anthropic,
            "https://example.com/v1",
            "https://example.com/v1",
        ),
    ] {
        let mut config = ProviderConfig::new("p", kind);
        given.clone_into(&mut config.base_url);
        assert_eq!(config.base().as_deref(), Ok(base), "{given}");
    }
}
