//! Pictures of the vault, for the pages of notes: raster images that the index knows, and nothing
//! else. A vector image can hold scripts, so it is named and not shown.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use crucible_services::data_store::Error;

use crate::error::{ApiError, Code};
use crate::percent;
use crate::routes::Named;
use crate::state::ApiState;

/// The largest picture that is handed over.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What is a picture, by the end of its name.
const KINDS: [(&str, &str); 6] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
];
/// Whatever the bytes are, nothing in them is obeyed.
const HEADERS: [(HeaderName, &str); 2] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (CONTENT_DISPOSITION, "inline"),
];

/// The address of a picture; `None` for a file that is none.
pub(super) fn picture_url(path: &str) -> Option<String> {
    media_type(path)?;
    let mut url = String::from("/attachment/");
    percent::push_path(&mut url, path);
    Some(url)
}

/// What the browser is told that the file is. Its content is never asked.
fn media_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    let is_it = |(known, _): &&(&str, &str)| known.eq_ignore_ascii_case(extension);
    KINDS.iter().find(is_it).map(|(_, media_type)| *media_type)
}

/// `GET /attachment/{*path}`
pub(super) async fn attachment(
    State(state): State<ApiState>,
    Named(path): Named,
) -> Result<Response, ApiError> {
    let none = || {
        ApiError::new(Code::NotFound, format!("there is no picture at {path:?}"))
            .hint("pictures are png, jpg, gif, webp and avif files inside the vault")
    };
    let media_type = media_type(&path).ok_or_else(none)?;
    let attachments = state.parts.attachments.as_ref();
    let attachments = attachments.ok_or_else(|| ApiError::not_offered("pictures to show"))?;
    match attachments.attachment(&path, BYTES_MAX).await {
        Ok(bytes) => Ok(([(CONTENT_TYPE, media_type)], HEADERS, bytes).into_response()),
        Err(Error::NotFound { .. }) => Err(none()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_raster_images_have_an_address() {
        assert_eq!(
            picture_url("a b/Loaf.PNG").as_deref(),
            Some("/attachment/a%20b/Loaf.PNG")
        );
        for other in ["a.svg", "a.png.html", "png", "a.md", "a.png/b", "", "a.pdf"] {
            assert_eq!(picture_url(other), None, "{other}");
        }
    }
}
