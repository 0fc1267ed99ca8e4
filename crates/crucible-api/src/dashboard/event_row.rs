//! One event in a list, and the mould from which the script makes more of the same.

use crucible_services::events::{DaemonEvent, EventPayload};
use maud::{Markup, html};
use serde_json::Value;

use super::parts::url_with;

/// How much of a payload is shown.
const PAYLOAD_MAX_BYTES: usize = 4096;

/// What is shown of an event; all empty in the mould.
#[derive(Default)]
struct Shown {
    time: String,
    iso: String,
    category: String,
    name: String,
    subject: String,
    source: String,
    id: String,
    correlation: String,
    cause: String,
    priority: String,
    payload: String,
    depth: u16,
}

/// An event as a row that unfolds.
pub(super) fn row(event: &DaemonEvent) -> Markup {
    markup(&Shown::of(event))
}

/// A row without an event, for the script.
pub(super) fn mould() -> Markup {
    html! { template #event-mould { (markup(&Shown::default())) } }
}

/// What the event is about, in a few words: the values of its type, in order.
pub(super) fn subject(event: &DaemonEvent) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(&event.event_type) else {
        return String::new();
    };
    let values = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "category" | "type" | "name"))
        .map(|(name, value)| match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let words = items.iter().map(|item| item.as_str().unwrap_or_default());
                words.collect::<Vec<_>>().join(", ")
            }
            other if name == "duration_ms" => format!("{other} ms"),
            // A number says nothing without its name.
            Value::Number(number) => format!("{} {number}", name.replace('_', " ")),
            other => other.to_string(),
        });
    let words: Vec<String> = values.filter(|value| !value.is_empty()).collect();
    match (&event.payload, words.is_empty()) {
        (EventPayload::Text(text), true) => text.chars().take(200).collect(),
        _ => words.join(" · "),
    }
}

impl Shown {
    fn of(event: &DaemonEvent) -> Self {
        let iso = event.timestamp.to_string();
        let meta = &event.metadata;
        let name = event.event_type.name();
        Self {
            time: iso.get(11..19).unwrap_or(&iso).to_owned(),
            iso,
            category: name.split('.').next().unwrap_or_default().to_owned(),
            name: name.into_owned(),
            subject: subject(event),
            source: event.source.id.clone(),
            id: event.id.to_string(),
            correlation: meta.correlation_id.to_string(),
            cause: meta
                .causation_id
                .map_or_else(|| "a first cause".to_owned(), |id| id.to_string()),
            priority: format!("{:?}", event.priority).to_lowercase(),
            payload: payload(&event.payload),
            depth: meta.depth,
        }
    }
}

fn payload(payload: &EventPayload) -> String {
    let text = match payload {
        EventPayload::Text(text) => text.clone(),
        EventPayload::Json(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
        EventPayload::Binary(bytes) => format!("{} bytes", bytes.len()),
    };
    if text.len() <= PAYLOAD_MAX_BYTES {
        return text;
    }
    let end = (0..=PAYLOAD_MAX_BYTES)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

fn markup(shown: &Shown) -> Markup {
    html! {
        li.event data-category=(shown.category) data-depth=(shown.depth.min(6)) {
            details {
                summary {
                    time data-slot="time" datetime=(shown.iso) title=(shown.iso) { (shown.time) }
                    code.event-name data-slot="name" { (shown.name) }
                    span.event-subject data-slot="subject" dir="auto" { (shown.subject) }
                    span.event-source data-slot="source" { (shown.source) }
                }
                dl.facts {
                    div { dt { "Correlation" } dd { a data-slot="correlation" href=(url_with("/events?correlation=", &shown.correlation)) { (shown.correlation) } } }
                    div { dt { "Event" } dd { code data-slot="id" { (shown.id) } } }
                    div { dt { "Caused by" } dd { code data-slot="cause" { (shown.cause) } } }
                    div { dt { "Priority" } dd data-slot="priority" { (shown.priority) } }
                    div { dt { "Payload" } dd { pre data-slot="payload" tabindex="0" { (shown.payload) } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crucible_services::events::{EventSource, EventType, FilesystemEventType};

    use super::*;

    #[test]
    fn row_says_what_happened_and_nothing_in_it_is_markup() {
        let path = "<script>alert(1)</script>\" onload=\"x.md".to_owned();
        let event = DaemonEvent::new(
            EventType::Filesystem(FilesystemEventType::FileCreated { path }),
            EventSource::filesystem("<b>"),
            EventPayload::text("</pre><img src=x>"),
        );
        let html = row(&event).into_string();
        assert!(html.contains("filesystem.file_created"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload="));
        assert!(!html.contains("<b>") && !html.contains("<img") && !html.contains("<script"));
    }

    #[test]
    fn number_is_shown_with_its_name() {
        use crucible_services::events::InferenceEventType;
        let usage = InferenceEventType::Usage {
            requests: 2,
            texts: 3,
            tokens: 291,
            queued: 0,
        };
        let event = DaemonEvent::new(
            EventType::Inference(usage),
            EventSource::service("inference"),
            EventPayload::text(""),
        );
        let expected = "requests 2 · texts 3 · tokens 291 · queued 0";
        assert_eq!(subject(&event), expected);
    }

    #[test]
    fn long_payloads_are_cut_at_a_character() {
        let long = EventPayload::text("é".repeat(PAYLOAD_MAX_BYTES));
        assert!(payload(&long).len() <= PAYLOAD_MAX_BYTES + 3);
    }
}
