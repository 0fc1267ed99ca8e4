//! The switches: each is a form of one of our own pages, and leads back to the service's page.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::super::error_page::error_page;
use super::super::layout::{self, Place};
use super::super::parts;
use super::super::visit::Visit;
use crate::auth::SafeForm;
use crate::error::ApiError;
use crate::routes::{Named, services};
use crate::state::ApiState;

/// `POST /services/{name}/start`
pub(in super::super) async fn start(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    form: Result<SafeForm, ApiError>,
) -> Response {
    let act = services::start(State(state), Named(name.clone()));
    switched(&visit, &name, "start", form, act).await
}

/// `POST /services/{name}/stop`
pub(in super::super) async fn stop(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    form: Result<SafeForm, ApiError>,
) -> Response {
    let act = services::stop(State(state), Named(name.clone()));
    switched(&visit, &name, "stop", form, act).await
}

/// `POST /services/{name}/restart`
pub(in super::super) async fn restart(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    form: Result<SafeForm, ApiError>,
) -> Response {
    let act = services::restart(State(state), Named(name.clone()));
    switched(&visit, &name, "restart", form, act).await
}

/// Lets `act` happen when the form is one of ours, and leads back.
async fn switched<T>(
    visit: &Visit,
    name: &str,
    switch: &str,
    form: Result<SafeForm, ApiError>,
    act: impl Future<Output = Result<T, ApiError>>,
) -> Response {
    let done = match form {
        Ok(_) => act.await.map(drop),
        Err(refused) => Err(refused),
    };
    back(visit, name, switch, done)
}

/// `GET /services/{name}/stop`: asks once more, since others may need the service.
pub(in super::super) async fn confirm_stop(visit: Visit, Named(name): Named) -> Response {
    if let Err(error) = visit.parts().core.get_service(&name).await {
        return error_page(&visit, "", &ApiError::from(error));
    }
    let address = parts::url_with("/services/", &name);
    let main = html! {
        header.page-head {
            p.crumb { a href="/services" { "Services" } " › " a href=(address) { (name) } }
            h1 { "Stop " (name) "?" }
        }
        p { "What it has begun is ended first. It stays stopped until somebody starts it again, and what needs it cannot work meanwhile." }
        div.switches {
            form action=(format!("{address}/stop")) method="post" {
                (visit.form_guard())
                button.danger type="submit" { "Stop " (name) }
            }
            a.button.plain href=(address) { "Leave it running" }
        }
    };
    layout::page(&visit, Place::Services, &format!("Stop {name}?"), "", &main)
}

fn back(visit: &Visit, name: &str, what: &str, done: Result<(), ApiError>) -> Response {
    match done {
        Ok(()) => {
            let page = parts::url_with("/services/", name);
            Redirect::to(&format!("{page}?done={what}")).into_response()
        }
        Err(error) => error_page(visit, "", &error),
    }
}
