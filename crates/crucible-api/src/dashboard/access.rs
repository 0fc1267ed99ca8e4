//! Access: the tokens that there are, new ones, and their end.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use crucible_services::access::Scope;
use maud::{Markup, html};

use super::error_page::error_page;
use super::layout::{self, Place};
use super::parts::Head::Words;
use super::parts::{self, day_and_time, empty, fault};
use super::visit::Visit;
use crate::auth::{self, NewToken, SafeForm, TokenInfo, TokenMade};
use crate::error::{ApiError, Code};
use crate::routes::Named;
use crate::state::ApiState;

/// What a scope allows, for people.
const fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "search, read notes, follow events",
        Scope::Write => "create, change and move notes",
        Scope::Infer => "embed and generate text, which can cost money",
        Scope::Control => "services, settings, grants, tokens",
    }
}

/// `GET /access`
pub(super) async fn access(visit: Visit) -> Response {
    let main = body(&visit, None).await;
    layout::page(&visit, Place::Access, "Access", "", &main)
}

async fn body(visit: &Visit, made: Option<&TokenMade>) -> Markup {
    let control = &visit.parts().access;
    html! {
        header.page-head {
            h1 { "Access" }
            p.lede { "Programs show a token; each token may do only what its scopes say." }
        }
        @if control.is_open() {
            (empty("Nobody has to show a token here", &html! {
                "Authentication is switched off: every program on this machine may do everything. Start the daemon without that option to change this."
            }))
        } @else {
            @if let Some(made) = made { (shown_once(made)) }
            @match control.list().await {
                Ok(tokens) if tokens.is_empty() => (empty("No tokens yet", &html! { "Make one for each program that asks." })),
                Ok(tokens) => (table(visit, &tokens)),
                Err(error) => (fault(&error.to_string())),
            }
            @if visit.may(Scope::Control) { (form(visit)) }
        }
    }
}

/// The secret of a new token: it is kept nowhere, so that this is the only time.
fn shown_once(made: &TokenMade) -> Markup {
    html! {
        section.secret role="status" {
            h2 { "The token " (made.info.name) }
            p { "Copy it now: it is shown this once." }
            pre tabindex="0" { (made.secret.reveal()) }
        }
    }
}

fn table(visit: &Visit, tokens: &[TokenInfo]) -> Markup {
    let rows = html! {
        @for token in tokens {
            tr {
                th scope="row" { (token.name) }
                td { @for scope in &token.scopes { span.chip { (scope) } " " } }
                td { (day_and_time(token.created_at)) }
                td { @match token.used_at { Some(at) => (day_and_time(at)), None => span.quiet { "never" } } }
                td { @match token.expires_at { Some(at) => (day_and_time(at)), None => span.quiet { "never" } } }
                td {
                    @if visit.may(Scope::Control) {
                        form action=(format!("{}/revoke", parts::url_with("/access/", &token.name))) method="post" {
                            (visit.form_guard())
                            button.plain.danger.small type="submit" aria-label=(format!("Revoke {}", token.name)) { "Revoke" }
                        }
                    }
                }
            }
        }
    };
    parts::table(
        "Tokens",
        ["Name", "May", "Made", "Last used", "Ends", ""]
            .map(Words)
            .as_slice(),
        &rows,
    )
}

fn form(visit: &Visit) -> Markup {
    html! {
        section aria-labelledby="new" {
            h2 #new { "A new token" }
            form.stack action="/access" method="post" {
                (visit.form_guard())
                label { "Name"
                    input name="name" required maxlength="64" pattern="[A-Za-z0-9._\\-]+" autocomplete="off" aria-describedby="name-hint";
                    span.quiet #name-hint { "Who shows it, such as laptop-editor: letters, digits, points, underscores, hyphens." }
                }
                fieldset {
                    legend { "It may" }
                    @for scope in Scope::ALL {
                        label.check {
                            input type="checkbox" name="scope" value=(scope) checked[scope == Scope::Read];
                            span { strong { (scope) } " " span.quiet { (scope_words(scope)) } }
                        }
                    }
                }
                button type="submit" { "Make a token" }
            }
        }
    }
}

/// `POST /access`: the page once more, with the secret.
pub(super) async fn create(
    State(state): State<ApiState>,
    visit: Visit,
    form: Result<SafeForm, ApiError>,
) -> Response {
    match make(&state, form).await {
        Ok(made) => {
            let main = body(&visit, Some(&made)).await;
            layout::page(&visit, Place::Access, "Access", "", &main)
        }
        Err(error) => error_page(&visit, "", &error),
    }
}

async fn make(state: &ApiState, form: Result<SafeForm, ApiError>) -> Result<TokenMade, ApiError> {
    let form = form?;
    let scopes = form
        .all("scope")
        .map(str::parse)
        .collect::<Result<Vec<Scope>, _>>()
        .map_err(|error| ApiError::new(Code::InvalidQuery, error.to_string()))?;
    let name = form.get("name").unwrap_or_default().trim();
    let made = state.parts.access.create(NewToken::new(name, scopes)).await;
    made.map_err(|error| access_error(&error))
}

/// `POST /access/{name}/revoke`
pub(super) async fn revoke(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    form: Result<SafeForm, ApiError>,
) -> Response {
    let done = match form {
        Ok(_) => state
            .parts
            .access
            .revoke(&name)
            .await
            .map_err(|error| access_error(&error)),
        Err(refused) => Err(refused),
    };
    match done {
        Ok(()) => Redirect::to("/access").into_response(),
        Err(error) => error_page(&visit, "", &error),
    }
}

fn access_error(error: &auth::Error) -> ApiError {
    let code = match error {
        auth::Error::Invalid(_) => Code::InvalidQuery,
        auth::Error::Failed(_) => Code::Internal,
        _ => Code::Refused,
    };
    ApiError::new(code, error.to_string())
}
