//! Answers that go on for long end with the right to them.
//!
//! Who asks is known when a request comes in, and a stream may go on for days after that. It is
//! cut when the token that it was opened with is revoked or expires, and when the session is left
//! or has been idle too long; a client that comes back is refused at the door.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::AccessControl;

/// By what somebody was let in, as far as that can end before the process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing that ends.
    Lasting,
    /// A token, by its hash.
    Token(blake3::Hash),
    /// The session of a browser, by the hash of its secret.
    Session(blake3::Hash),
}

/// Lets a body whose length is not known beforehand end with `standing`; others are short.
pub(super) fn bound(access: &AccessControl, standing: Standing, response: Response) -> Response {
    let is_whole = response.body().size_hint().exact().is_some();
    if standing == Standing::Lasting || is_whole {
        return response;
    }
    let access = access.clone();
    response.map(|inner| {
        Body::new(Bounded {
            inner,
            ended: Some(Box::pin(async move { access.ended(&standing).await })),
        })
    })
}

/// A body that ends early when a future does.
struct Bounded {
    inner: Body,
    /// `None` once it has ended.
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(ended) = &mut self.ended
            && ended.as_mut().poll(context).is_ready()
        {
            self.ended = None;
            // What is behind the body is given back now.
            self.inner = Body::empty();
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
