//! Who asks over HTTP: tokens for programs, one-time links and sessions for a browser.
//!
//! [`AccessControl`] knows the tokens and the sessions; `check` is the layer that stands before
//! every route and turns what a request carries into a
//! [`Principal`](crucible_services::access::Principal), which handlers and the MCP gateway find
//! among the request's extensions. Which scope a route needs is said where the route is declared
//! ([`crate::router()`]'s table), never in a handler.
//!
//! A stream ends with the right to it (`standing`), not only with the request after it.
//!
//! No secret is kept: tokens, codes and session names are held as BLAKE3 hashes, which is enough
//! for values of 128 random bits and more.

mod access_control;
mod attempts;
mod check;
mod csrf;
mod error;
mod page;
mod secret;
mod sessions;
mod standing;
mod token;

pub use access_control::AccessControl;
pub use csrf::{CsrfToken, SafeForm};
pub use error::Error;
pub use secret::Secret;
pub use sessions::LoginCode;
pub use token::{NewToken, TokenInfo, TokenMade};

pub(crate) use check::authenticate;
pub(crate) use page::{login, logout};
