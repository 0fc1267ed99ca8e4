//! One-time codes and the sessions of browsers; in memory, so that they end with the process.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crucible_services::access::Principal;
use crucible_services::clock;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Error;
use super::csrf::CsrfToken;
use super::secret::{self, Secret};

/// How long a code can be used.
const CODE_LIFE: Duration = Duration::from_secs(5 * 60);
/// How many codes may wait; the oldest go first.
const CODES_MAX: usize = 16;
/// How long a session lives without a request.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// How many sessions there may be; the one that was idle longest goes first.
const SESSIONS_MAX: usize = 32;

/// The code of a one-time link.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoginCode {
    /// The path and query string of the link: `/login?code=..`. It lets its first reader in.
    pub path: String,
    /// When it can be used no more.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// The session that a request belongs to.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) principal: Principal,
    pub(super) csrf: CsrfToken,
}

/// What is known of codes and sessions, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Each with its end; the oldest first.
    codes: VecDeque<(blake3::Hash, Instant)>,
    sessions: HashMap<blake3::Hash, (Instant, Session)>,
}

impl Sessions {
    /// Makes a code.
    pub(super) fn code(&mut self, now: Instant) -> Result<LoginCode, Error> {
        let code = Secret::random::<16>("")?;
        while self.codes.len() >= CODES_MAX {
            self.codes.pop_front();
        }
        self.codes.push_back((code.hash(), now + CODE_LIFE));
        Ok(LoginCode {
            path: format!("/login?code={}", code.reveal()),
            expires_at: clock::now() + CODE_LIFE,
        })
    }

    /// Uses a code up and opens a session; returns the session's secret. `None` when the code is
    /// not known, was used before, or has ended.
    pub(super) fn enter(&mut self, code: &str, now: Instant) -> Result<Option<Secret>, Error> {
        let hash = secret::hash(code);
        let place = self.codes.iter().position(|(known, _)| *known == hash);
        let known = place.and_then(|place| self.codes.remove(place));
        if known.is_none_or(|(_, end)| end <= now) {
            return Ok(None);
        }
        let session = Secret::random::<32>("")?;
        self.make_room();
        let opened = Session {
            principal: Principal::owner("browser"),
            csrf: CsrfToken::of(&session),
        };
        self.sessions.insert(session.hash(), (now + IDLE, opened));
        Ok(Some(session))
    }

    /// Returns the session with this secret, and keeps it alive.
    pub(super) fn find(&mut self, session: &str, now: Instant) -> Option<Session> {
        let hash = secret::hash(session);
        let (end, found) = self.sessions.get_mut(&hash)?;
        if *end <= now {
            self.sessions.remove(&hash);
            return None;
        }
        *end = now + IDLE;
        Some(found.clone())
    }

    /// Returns how long a session still lives without a request; `None` when it has ended.
    pub(super) fn left(&self, session: &blake3::Hash, now: Instant) -> Option<Duration> {
        let (end, _) = self.sessions.get(session)?;
        end.checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Ends a session, if there is one.
    pub(super) fn leave(&mut self, session: &str) {
        self.sessions.remove(&secret::hash(session));
    }

    /// Drops the session that was idle longest when there are as many as may be.
    fn make_room(&mut self) {
        while self.sessions.len() >= SESSIONS_MAX {
            let idle = self.sessions.iter().min_by_key(|(_, (end, _))| *end);
            let Some(&hash) = idle.map(|(hash, _)| hash) else {
                return;
            };
            self.sessions.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(link: &LoginCode) -> String {
        link.path.strip_prefix("/login?code=").unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn code_lets_in_once_and_in_time() {
        let mut sessions = Sessions::default();
        let now = Instant::now();
        let code = code_of(&sessions.code(now).unwrap());
        assert!(sessions.enter("guess", now).unwrap().is_none());
        assert!(sessions.enter(&code, now).unwrap().is_some());
        assert!(sessions.enter(&code, now).unwrap().is_none());
        let late = code_of(&sessions.code(now).unwrap());
        assert!(sessions.enter(&late, now + CODE_LIFE).unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn session_lives_while_it_is_used_and_ends_when_left() {
        let mut sessions = Sessions::default();
        let mut now = Instant::now();
        let code = code_of(&sessions.code(now).unwrap());
        let session = sessions.enter(&code, now).unwrap().unwrap();
        for _ in 0..5 {
            now += IDLE - Duration::from_secs(1);
            assert!(sessions.find(session.reveal(), now).is_some());
        }
        assert!(sessions.find(session.reveal(), now + IDLE).is_none());
        assert!(sessions.find(session.reveal(), now).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn codes_and_sessions_are_bounded() {
        let mut sessions = Sessions::default();
        let now = Instant::now();
        for _ in 0..100 {
            let code = code_of(&sessions.code(now).unwrap());
            sessions.code(now).unwrap();
            assert!(sessions.enter(&code, now).unwrap().is_some());
        }
        assert!(sessions.codes.len() <= CODES_MAX);
        assert!(sessions.sessions.len() <= SESSIONS_MAX);
    }
}
