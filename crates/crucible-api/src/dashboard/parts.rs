//! Small things that many pages show: links, numbers, times, states, notices.

use crucible_core::{ServiceState, ServiceStatus};
use crucible_services::health::HealthStatus;
use crucible_services::service_traits::ServiceKind;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::percent;

/// A number in groups of three digits.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number of things, with its noun.
pub(super) fn count(how_many: usize, one: &str, many: &str) -> String {
    let how_many = how_many as u64;
    let noun = if how_many == 1 { one } else { many };
    format!("{} {noun}", number(how_many))
}

/// A size in bytes, to three digits.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB"];
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1000;
        unit += 1;
    }
    let (whole, tenth) = (tenths / 10, tenths % 10);
    match unit {
        0 => format!("{} bytes", number(bytes)),
        _ if whole >= 100 => format!("{whole} {}", units[unit]),
        _ => format!("{whole}.{tenth} {}", units[unit]),
    }
}

/// A length of time, in its two greatest units at most.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The time of day; the script shows it in the reader's own time zone.
pub(super) fn time(at: Timestamp) -> Markup {
    let iso = at.to_string();
    let shown = iso.get(11..19).unwrap_or(&iso);
    html! { time datetime=(iso) title=(iso) { (shown) } }
}

/// Day and time; the script shows it in the reader's own time zone.
pub(super) fn day_and_time(at: Timestamp) -> Markup {
    let iso = at.to_string();
    let shown = iso.get(..16).unwrap_or(&iso).replace('T', " ");
    html! { time datetime=(iso) title=(iso) data-day="" { (shown) } }
}

/// The address of a note's page.
pub(super) fn note_url(path: &str) -> String {
    let mut url = String::from("/note/");
    percent::push_path(&mut url, path);
    url
}

/// An address with one more value at its end.
pub(super) fn url_with(base: &str, value: &str) -> String {
    let mut url = base.to_owned();
    percent::push(&mut url, value);
    url
}

/// A link to a note's page, with words that may differ from its path.
pub(super) fn note_link(path: &str, words: &str) -> Markup {
    html! { a href=(note_url(path)) dir="auto" { (or_untitled(words)) } }
}

/// A link to the notes that carry a tag.
pub(super) fn tag_link(tag: &str) -> Markup {
    html! { a.tag href=(url_with("/notes?tag=", tag)) dir="auto" { "#" (tag) } }
}

/// A link without words cannot be seen or reached.
pub(super) fn or_untitled(words: &str) -> &str {
    if words.trim().is_empty() {
        "(untitled)"
    } else {
        words
    }
}

/// Where a note is, in pieces that a narrow page can break between.
pub(super) fn place(path: &str) -> Markup {
    html! { span.place dir="auto" { (path) } }
}

/// Something that the person should know.
pub(super) fn notice(words: &str) -> Markup {
    html! { p.notice { (words) } }
}

/// Something that failed.
pub(super) fn fault(words: &str) -> Markup {
    html! { p.fault role="alert" { (words) } }
}

/// What stands where there is nothing to list.
pub(super) fn empty(title: &str, hint: &Markup) -> Markup {
    html! {
        div.empty {
            p.empty-title { (title) }
            p { (hint) }
        }
    }
}

/// The head of a column.
#[derive(Clone, Copy)]
pub(super) enum Head {
    /// Of words.
    Words(&'static str),
    /// Of numbers, which stand below each other; their cells have the class `number`.
    Number(&'static str),
}

/// A table that may be wider than a narrow page: only it scrolls then.
pub(super) fn table(label: &str, head: &[Head], rows: &Markup) -> Markup {
    html! {
        div.table tabindex="0" role="group" aria-label=(label) {
            table {
                thead { tr {
                    @for column in head {
                        @match column {
                            Head::Words(words) => th scope="col" { (words) },
                            Head::Number(words) => th.number scope="col" { (words) },
                        }
                    }
                } }
                tbody { (rows) }
            }
        }
    }
}

/// The word and the class of a health.
pub(super) const fn health_word(status: HealthStatus) -> (&'static str, &'static str) {
    match status {
        HealthStatus::Healthy => ("good", "healthy"),
        HealthStatus::Degraded => ("warn", "degraded"),
        HealthStatus::Unhealthy => ("bad", "unhealthy"),
        HealthStatus::Unknown => ("none", "not asked yet"),
    }
}

/// A mark with a word, so that colour is never all that tells.
pub(super) fn mark(class: &str, word: &str) -> Markup {
    html! { span.mark data-tone=(class) { (word) } }
}

/// How a service is, in one mark: its state, unless it runs and its health says more.
pub(super) fn service_mark(service: &ServiceStatus) -> Markup {
    let (tone, word) = match service.state {
        ServiceState::Running => match health_word(service.health.status) {
            ("none", _) => ("good", "running"),
            other => other,
        },
        ServiceState::Failed => ("bad", "failed"),
        ServiceState::CrashLooping => ("bad", "breaks down again and again"),
        ServiceState::BackingOff => ("warn", "starts again soon"),
        ServiceState::Starting => ("warn", "starting"),
        ServiceState::Draining | ServiceState::Stopping => ("warn", "stopping"),
        ServiceState::Registered | ServiceState::Stopped => ("none", "stopped"),
    };
    mark(tone, word)
}

/// What people call a service.
pub(super) fn service_label(service: &ServiceStatus) -> String {
    match &service.kind {
        ServiceKind::DataStore => "Data store".to_owned(),
        ServiceKind::InferenceEngine => "Inference engine".to_owned(),
        ServiceKind::ScriptEngine => "Script engine".to_owned(),
        ServiceKind::McpGateway => "MCP gateway".to_owned(),
        ServiceKind::Custom(_) => match service.name.as_str() {
            "vault" => "Vault".to_owned(),
            "api" => "API and dashboard".to_owned(),
            name => name.to_owned(),
        },
    }
}

/// The four services first, then the others by name.
pub(super) fn in_order(mut services: Vec<ServiceStatus>) -> Vec<ServiceStatus> {
    services.sort_by_key(|service| match service.kind {
        ServiceKind::DataStore => 0,
        ServiceKind::InferenceEngine => 1,
        ServiceKind::ScriptEngine => 2,
        ServiceKind::McpGateway => 3,
        ServiceKind::Custom(_) => 4,
    });
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (given, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (12_770_001, "12\u{202f}770\u{202f}001"),
        ] {
            assert_eq!(number(given), expected);
        }
    }

    #[test]
    fn sizes_and_lengths_of_time_have_units_that_fit() {
        for (given, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1500, "1.5 kB"),
            (123_456, "123 kB"),
            (78_000_000, "78.0 MB"),
            (u64::MAX, "1844674407 GB"),
        ] {
            assert_eq!(bytes(given), expected);
        }
        for (given, expected) in [
            (0, "0 ms"),
            (59_999, "59 s"),
            (61_000, "1 min"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(given), expected);
        }
    }

    #[test]
    fn address_of_a_hostile_path_stays_below_note() {
        assert_eq!(
            note_url("javascript:x/\"><b>?#%.md"),
            "/note/javascript%3Ax/%22%3E%3Cb%3E%3F%23%25.md"
        );
    }
}
