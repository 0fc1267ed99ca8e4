//! One provider over HTTP: sends requests, and reads answers within bounds of time and size.
//!
//! It follows no redirect, uses no proxy, and puts no address and no key into what it reports.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout, timeout_at};

use super::config::ProviderConfig;
use super::failure::Failure;
use super::protocol::Ask;
use super::secret::Secret;
use crate::tls;

/// The most bytes of an answer that comes at once: 64 texts of 4,096 dimensions take a tenth.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most bytes that are read of a fault.
const FAULT_BYTES_MAX: usize = 64 * 1024;
/// How long reading a fault may take.
const FAULT_DEADLINE: Duration = Duration::from_secs(5);
/// The most characters of a fault that are handed on.
const FAULT_CHARS_MAX: usize = 300;
const JSON: &str = "application/json";

/// Speaks HTTP with one provider.
#[derive(Debug)]
pub(crate) struct Transport {
    client: Client,
    base: String,
    idle: Duration,
    whole: Duration,
}

/// A request on its way: what to send, with which headers, and how long its head may take.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The media type that the answer must have.
    pub(crate) wants: &'static str,
    /// How long the answer may take to begin.
    pub(crate) patience: Duration,
    /// When all must be over.
    pub(crate) deadline: Instant,
}

impl Transport {
    pub(crate) fn new(config: &ProviderConfig, base: String) -> Result<Self, String> {
        let builder = if base.starts_with("https:") {
            tls::client().map_err(|error| {
                format!("the certificates that this machine trusts cannot be read: {error}")
            })?
        } else {
            tls::without_certificates().map_err(|error| error.to_string())?
        };
        let client = builder
            .user_agent(concat!("crucible/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            base,
            idle: config.idle_timeout,
            whole: config.timeout,
        })
    }

    /// Sends a request and waits for the head of an answer that is not a fault.
    pub(crate) async fn send(
        &self,
        sending: Sending<'_>,
        read_fault: impl Fn(&[u8]) -> Option<String>,
        key: Option<&Secret>,
    ) -> Result<Response, Failure> {
        let url = format!("{}{}", self.base, sending.ask.path);
        let mut request = match &sending.ask.body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        request = request.header(ACCEPT, sending.wants);
        for (name, value) in sending.headers {
            request = request.header(HeaderName::from_static(name), sensitive(&value)?);
        }
        let until = sending.deadline.min(Instant::now() + sending.patience);
        let sent = timeout_at(until, request.send()).await;
        let response = match sent {
            Ok(sent) => sent.map_err(failure)?,
            Err(_elapsed) => {
                return Err(self.late("no answer began", sending.patience, sending.deadline));
            }
        };
        if !response.status().is_success() {
            return Err(refusal(response, read_fault, key).await);
        }
        check_type(response.headers(), sending.wants)?;
        Ok(response)
    }

    /// Reads a body that comes at once.
    pub(crate) async fn body(
        &self,
        mut response: Response,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response, self.idle, deadline).await? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let reason = format!("more than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::Unreadable(reason));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads the next bytes of a body; `None` at its end.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
        patience: Duration,
        deadline: Instant,
    ) -> Result<Option<Bytes>, Failure> {
        let until = deadline.min(Instant::now() + patience);
        match timeout_at(until, response.chunk()).await {
            Ok(read) => read.map_err(failure),
            Err(_elapsed) => Err(self.late("nothing more came", patience, deadline)),
        }
    }

    /// Says which of the two limits was passed.
    fn late(&self, what: &'static str, patience: Duration, deadline: Instant) -> Failure {
        if Instant::now() < deadline {
            return Failure::TimedOut {
                what,
                limit: patience,
            };
        }
        Failure::TimedOut {
            what: "the answer was not whole",
            limit: self.whole,
        }
    }
}

/// Makes a header value that is not shown when headers are.
fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Failure::Unusable("its key cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Says what went wrong on the way, without the address.
fn failure(error: reqwest::Error) -> Failure {
    let is_connecting = error.is_connect();
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let reason = cause.to_string();
    if is_connecting {
        Failure::Unreachable(reason)
    } else if error.is_decode() || error.source().is_some() {
        Failure::Broken(reason)
    } else {
        Failure::Broken(error.to_string())
    }
}

/// Reads what a provider says about its refusal.
async fn refusal(
    mut response: Response,
    read_fault: impl Fn(&[u8]) -> Option<String>,
    key: Option<&Secret>,
) -> Failure {
    let status = response.status();
    let retry_after = retry_after(response.headers(), crucible_services::clock::now());
    let mut body = Vec::new();
    // A fault that breaks off says less, and that is all there is to it.
    let whole = timeout(FAULT_DEADLINE, async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > FAULT_BYTES_MAX {
                break;
            }
        }
    });
    if whole.await.is_err() {
        tracing::debug!(
            http.status = status.as_u16(),
            "a fault took too long to say"
        );
    }
    let text = read_fault(&body)
        .or_else(|| plain(&body))
        .or_else(|| status.canonical_reason().map(str::to_owned))
        .unwrap_or_else(|| "no reason given".to_owned());
    let text = key.map_or_else(|| text.clone(), |key| key.strike_from(&text));
    Failure::Status {
        status: status.as_u16(),
        message: shorten(&text),
        retry_after,
    }
}

/// Returns a body that is a line of plain text, and no page.
fn plain(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    (!text.is_empty() && !text.starts_with(['<', '{'])).then(|| text.to_owned())
}

/// Makes one line of at most [`FAULT_CHARS_MAX`] characters.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.replace(char::is_control, " ");
    match line.char_indices().nth(FAULT_CHARS_MAX) {
        Some((at, _)) => format!("{}..", &line[..at]),
        None => line,
    }
}

/// Reads how long to wait: seconds or a date (RFC 9110, section 10.2.3), or the milliseconds that
/// OpenAI sends as well.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("retry-after-ms").and_then(|t| t.trim().parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let asked = text("retry-after")?.trim();
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = jiff::fmt::rfc2822::parse(asked).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Refuses an answer of another kind; one that does not say its kind is read all the same.
fn check_type(headers: &HeaderMap, wants: &str) -> Result<(), Failure> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = String::from_utf8_lossy(given.as_bytes()).to_ascii_lowercase();
    let bare = given.split(';').next().unwrap_or_default().trim();
    let is_json = |name: &str| name == JSON || name.ends_with("+json");
    if bare == wants || (wants == JSON && is_json(bare)) {
        return Ok(());
    }
    let bare = shorten(bare);
    Err(Failure::Unreadable(format!(
        "{bare} where {wants} was asked for; see whether base_url is right"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_after(&headers, "2026-11-24T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn wait_is_read_as_seconds_as_a_date_and_as_milliseconds() {
        let seconds = Duration::from_secs;
        assert_eq!(asked("retry-after", "7"), Some(seconds(7)));
        assert_eq!(
            asked("retry-after", "Tue, 24 Nov 2026 10:00:30 GMT"),
            Some(seconds(30))
        );
        assert_eq!(
            asked("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT"),
            Some(seconds(0))
        );
        assert_eq!(
            asked("retry-after-ms", "250"),
            Some(Duration::from_millis(250))
        );
        for odd in ["soon", "-1", "", "NaN", "1e300"] {
            assert_eq!(asked("retry-after", odd), None, "{odd}");
        }
    }

    #[test]
    fn fault_is_one_short_line() {
        let long = format!("a\nb{}", "é".repeat(1000));
        let short = shorten(&long);
        assert!(short.starts_with("a b") && short.ends_with(".."));
        assert_eq!(short.chars().count(), FAULT_CHARS_MAX + 2);
        assert_eq!(plain(b"<html>"), None);
        assert_eq!(plain(b" no \n").as_deref(), Some("no"));
    }

    #[test]
    fn kind_of_the_answer_is_compared_without_its_parameters() {
        let check = |given: &str, wants| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, given.parse().unwrap());
            check_type(&headers, wants).is_ok()
        };
        assert!(check("Application/JSON; charset=utf-8", JSON));
        assert!(check("application/problem+json", JSON));
        assert!(check(
            "text/event-stream;charset=utf-8",
            "text/event-stream"
        ));
        assert!(!check("text/html", JSON));
        assert!(!check(JSON, "text/event-stream"));
    }
}
