//! The one who knows tokens and sessions.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crucible_services::access::{Principal, Scope};
use crucible_services::clock;
use crucible_services::state_store::{self, Expect, StateStore, StateWrite};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::secret::{self, Secret};
use super::sessions::{LoginCode, Sessions};
use super::standing::Standing;
use super::token::{self, NewToken, TokenInfo, TokenMade};
use super::{CsrfToken, Error};

/// Where tokens are kept: `hash/HEX` holds what is known of a token, `name/NAME` its hash.
const NAMESPACE: &str = "tokens";
const BY_HASH: &str = "hash/";
const BY_NAME: &str = "name/";
/// How many tokens can be kept.
const TOKENS_MAX: usize = 256;
/// How many tokens of this run there can be.
const ISSUED_MAX: usize = 16;
/// How exactly the last use is known; each note of it is a write to disk.
const USED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How often somebody who listens is looked up again, though nothing was heard: clocks are set, and
/// a revocation can break off between what is kept and who is told.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How many names an error lists.
const NEAR_MAX: usize = 5;

/// Knows who may do what. Cheap to clone: all clones know the same.
#[derive(Clone)]
pub struct AccessControl {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where tokens are kept; `None` when nobody has to prove who they are.
    state: Option<Arc<dyn StateStore>>,
    /// Tokens that end with this process, by their hash.
    issued: Mutex<Vec<(blake3::Hash, Principal)>>,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    /// Guards forms where there is no session to guard them.
    csrf: CsrfToken,
    /// Wakes those who listen when somebody may no longer.
    ended: Notify,
}

impl fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessControl")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Nothing that is known, or known no more.
    Unknown,
    /// The token has ended.
    Expired,
    /// Too many wrong ones lately.
    TooMany,
    /// Tokens cannot be read now.
    Unreadable,
}

impl AccessControl {
    /// Knows the tokens that `state` keeps.
    #[must_use]
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self::over(Some(state))
    }

    /// Takes everybody for the owner. For tests, and for a person who switched authentication off;
    /// only on a loopback address.
    #[must_use]
    pub fn open() -> Self {
        Self::over(None)
    }

    fn over(state: Option<Arc<dyn StateStore>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                state,
                issued: Mutex::default(),
                sessions: Mutex::default(),
                attempts: Mutex::default(),
                csrf: CsrfToken::random(),
                ended: Notify::new(),
            }),
        }
    }

    /// Says whether nobody has to prove who they are.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner.state.is_none()
    }

    /// Makes a token. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Invalid`], [`Error::TooMany`].
    pub async fn create(&self, token: NewToken) -> Result<TokenMade, Error> {
        let state = self.state()?;
        let now = clock::now();
        token.check(now)?;
        if self.list().await?.len() >= TOKENS_MAX {
            return Err(Error::TooMany { max: TOKENS_MAX });
        }
        let secret = Secret::random::<32>(token::PREFIX)?;
        let info = TokenInfo {
            name: token.name,
            scopes: token.scopes,
            created_at: now,
            used_at: None,
            expires_at: token.expires_at,
        };
        let hash = secret.hash().to_hex();
        let writes = vec![
            StateWrite::put(name_key(&info.name), hash.as_bytes()).expecting(Expect::Absent),
            StateWrite::put(hash_key(&hash), as_bytes(&info)?).expecting(Expect::Absent),
        ];
        match state.write(NAMESPACE, writes).await {
            Ok(()) => Ok(TokenMade { info, secret }),
            Err(state_store::Error::Changed { .. }) => Err(Error::Exists { name: info.name }),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns what is known of every token, by name.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn list(&self) -> Result<Vec<TokenInfo>, Error> {
        let kept = self
            .state()?
            .list(NAMESPACE, BY_HASH, None, TOKENS_MAX)
            .await?;
        let mut tokens = kept
            .iter()
            .map(|(_, bytes)| from_bytes(bytes))
            .collect::<Result<Vec<TokenInfo>, Error>>()?;
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tokens)
    }

    /// Ends a token: the next request that carries it is refused, and streams that were opened with
    /// it end.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke(&self, name: &str) -> Result<(), Error> {
        let state = self.state()?;
        let Some(hash) = state.get(NAMESPACE, &name_key(name)).await? else {
            let mut near: Vec<String> = self.list().await?.into_iter().map(|t| t.name).collect();
            near.truncate(NEAR_MAX);
            let name = name.to_owned();
            return Err(Error::NotFound { name, near });
        };
        let hash = String::from_utf8_lossy(&hash);
        let writes = vec![
            StateWrite::remove(name_key(name)),
            StateWrite::remove(hash_key(&hash)),
        ];
        state.write(NAMESPACE, writes).await?;
        self.inner.ended.notify_waiters();
        Ok(())
    }

    /// Makes a token that ends with this process and is kept nowhere: for programs of the same
    /// person on the same machine, which find it in a file that only they can read.
    ///
    /// # Errors
    /// When the system gives no random bytes, or too many were issued.
    pub fn issue(
        &self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<Secret, Error> {
        let secret = Secret::random::<32>(token::PREFIX)?;
        let mut issued = lock(&self.inner.issued);
        if issued.len() >= ISSUED_MAX {
            return Err(Error::TooMany { max: ISSUED_MAX });
        }
        issued.push((secret.hash(), Principal::new(name, scopes)));
        Ok(secret)
    }

    /// Makes the code of a one-time link, `/login?code=..`, which lets a browser in as the owner:
    /// once, and within five minutes.
    ///
    /// # Errors
    /// [`Error::Open`] where nobody has to be let in.
    pub fn login_code(&self) -> Result<LoginCode, Error> {
        self.state()?;
        lock(&self.inner.sessions).code(Instant::now())
    }

    /// Says who the bearer of a token is, and for how long.
    pub(super) async fn bearer(&self, text: &str) -> Result<(Principal, Standing), Denied> {
        let outcome = self.look_up(text).await;
        if outcome == Err(Denied::Unknown) && !self.spend_attempt() {
            return Err(Denied::TooMany);
        }
        outcome
    }

    async fn look_up(&self, text: &str) -> Result<(Principal, Standing), Denied> {
        if !token::is_well_formed(text) {
            return Err(Denied::Unknown);
        }
        let hash = secret::hash(text);
        let issued = lock(&self.inner.issued)
            .iter()
            .find(|(known, _)| *known == hash)
            .map(|(_, principal)| principal.clone());
        if let Some(principal) = issued {
            return Ok((principal, Standing::Lasting));
        }
        // While guesses pour in, the state is asked only about tokens that were good before.
        if !lock(&self.inner.attempts).may_look_up(&hash, Instant::now()) {
            return Err(Denied::Unknown);
        }
        let (info, key, bytes) = self.kept(&hash).await?;
        lock(&self.inner.attempts).was_good(hash);
        let principal = info.principal();
        let state = self.state().map_err(|_open| Denied::Unknown)?;
        note_use(state.as_ref(), key, bytes, info, clock::now()).await;
        Ok((principal, Standing::Token(hash)))
    }

    /// Returns what is kept of a token that has not ended, where, and as which bytes.
    async fn kept(&self, hash: &blake3::Hash) -> Result<(TokenInfo, String, Vec<u8>), Denied> {
        let unreadable = |error: Error| {
            tracing::error!(%error, "tokens cannot be read");
            Denied::Unreadable
        };
        let state = self.state().map_err(unreadable)?;
        let key = hash_key(&hash.to_hex());
        let bytes = state
            .get(NAMESPACE, &key)
            .await
            .map_err(|error| unreadable(error.into()))?
            .ok_or(Denied::Unknown)?;
        let info: TokenInfo = from_bytes(&bytes).map_err(unreadable)?;
        if info.is_over(clock::now()) {
            return Err(Denied::Expired);
        }
        Ok((info, key, bytes))
    }

    /// Waits until who was let in by `standing` may no longer listen.
    ///
    /// It begins with a look, so that a revocation between the door and here is seen.
    pub(super) async fn ended(&self, standing: &Standing) {
        loop {
            let mut heard = pin!(self.inner.ended.notified());
            // From here on, before the look, or an end between the two would be missed.
            heard.as_mut().enable();
            let Some(left) = self.left(standing).await else {
                return;
            };
            tokio::select! {
                () = heard => {}
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            }
        }
    }

    /// Returns how long `standing` lasts as far as is known now; `None` when it has ended, or when
    /// nobody can tell.
    async fn left(&self, standing: &Standing) -> Option<Duration> {
        match standing {
            Standing::Lasting => Some(Duration::MAX),
            Standing::Session(session) => self.sessions().left(session, Instant::now()),
            Standing::Token(hash) => {
                let (info, ..) = self.kept(hash).await.ok()?;
                let Some(end) = info.expires_at else {
                    return Some(Duration::MAX);
                };
                Some(end.duration_since(clock::now()).unsigned_abs())
            }
        }
    }

    /// Ends the session of a browser and the streams that were opened in it.
    pub(super) fn leave(&self, session: &str) {
        self.sessions().leave(session);
        self.inner.ended.notify_waiters();
    }

    /// Counts a failed attempt; false when there were too many lately.
    pub(super) fn spend_attempt(&self) -> bool {
        lock(&self.inner.attempts).spend(Instant::now())
    }

    pub(super) fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        lock(&self.inner.sessions)
    }

    /// Returns what guards forms of requests that come without a session.
    pub(super) fn csrf(&self) -> &CsrfToken {
        &self.inner.csrf
    }

    fn state(&self) -> Result<&Arc<dyn StateStore>, Error> {
        self.inner.state.as_ref().ok_or(Error::Open)
    }
}

/// Notes when a token was used, now and then. A token that was revoked meanwhile stays revoked.
async fn note_use(
    state: &dyn StateStore,
    key: String,
    before: Vec<u8>,
    mut info: TokenInfo,
    now: Timestamp,
) {
    if info
        .used_at
        .is_some_and(|at| now.duration_since(at) < USED_EVERY)
    {
        return;
    }
    info.used_at = Some(now);
    let Ok(bytes) = as_bytes(&info) else { return };
    let write = StateWrite::put(key, bytes).expecting(Expect::Value(before));
    match state.write(NAMESPACE, vec![write]).await {
        // Somebody else noted it, or revoked it.
        Ok(()) | Err(state_store::Error::Changed { .. }) => {}
        Err(error) => tracing::warn!(%error, "the use of a token was not noted"),
    }
}

fn hash_key(hash: &str) -> String {
    format!("{BY_HASH}{hash}")
}

fn name_key(name: &str) -> String {
    format!("{BY_NAME}{name}")
}

fn as_bytes(info: &TokenInfo) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(info).map_err(|error| Error::Failed(error.to_string()))
}

fn from_bytes(bytes: &[u8]) -> Result<TokenInfo, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Failed(format!("the record of a token is damaged: {error}")))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
