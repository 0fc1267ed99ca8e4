//! `crucible events`: what happens, as it happens.

use std::collections::BTreeMap;
use std::io::Write;

use crucible_api::NewEvent;
use crucible_api::client::Told;
use crucible_services::events::{DaemonEvent, EventFilter, EventPayload};

use crate::args::{EventChoice, Events, EventsAction, Global};
use crate::failure::{Failure, Kind};
use crate::session::{daemon, print_json};
use crate::signals::Signals;
use crate::terminal::{Style, count, plain};

pub(crate) async fn run(global: &Global, args: &Events) -> Result<(), Failure> {
    let client = daemon(global, &args.vault)?;
    let is_json = args.format.json;
    let style = Style::detect();
    match &args.action {
        EventsAction::Tail { filter } => {
            let mut signals = Signals::listen()?;
            let mut tail = client.tail_events(&wanted(filter)?, None).await?;
            loop {
                let told = tokio::select! {
                    told = tail.next() => told,
                    _signal = signals.next() => return Ok(()),
                };
                let Some(told) = told else { return Ok(()) };
                show(&mut std::io::stdout().lock(), &told?, is_json, style)?;
            }
        }
        EventsAction::Recent { filter, limit } => {
            let events = client
                .recent_events(&wanted(filter)?, usize::from(*limit))
                .await?;
            if is_json {
                return print_json(&events);
            }
            let mut out = std::io::stdout().lock();
            for event in &events {
                line(&mut out, event, style)?;
            }
            Ok(())
        }
        EventsAction::Publish { name, payload } => {
            let event = NewEvent {
                name: name.clone(),
                payload: payload.as_deref().map(read_payload).transpose()?,
                targets: Vec::new(),
                priority: None,
                ordering_key: None,
                labels: BTreeMap::new(),
            };
            let published = client.publish(&event).await?;
            if is_json {
                return print_json(&published);
            }
            let mut out = std::io::stdout().lock();
            let taken = count(published.accepted as u64);
            writeln!(out, "Told as {}; {taken} mailboxes took it.", published.id)?;
            Ok(())
        }
    }
}

fn wanted(choice: &EventChoice) -> Result<EventFilter, Failure> {
    let category = |name: &String| {
        serde_json::from_value(name.as_str().into()).map_err(|_unknown| {
            Failure::message(Kind::Usage, format!("{name:?} is not a category")).with_hint(
                "there are filesystem, database, external, mcp, inference, script, service, \
                 system and custom",
            )
        })
    };
    Ok(EventFilter {
        categories: choice
            .categories
            .iter()
            .map(category)
            .collect::<Result<_, _>>()?,
        types: choice.types.clone(),
        ..EventFilter::all()
    })
}

fn read_payload(text: &str) -> Result<EventPayload, Failure> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        Failure::new(Kind::Usage, error)
            .with_hint("the detail is JSON, such as '{\"page\": 12}' or '\"words\"'")
    })?;
    Ok(EventPayload::json(value))
}

fn show(out: &mut impl Write, told: &Told, is_json: bool, style: Style) -> Result<(), Failure> {
    match told {
        Told::Event(event) if is_json => {
            serde_json::to_writer(&mut *out, event)?;
            writeln!(out)?;
        }
        Told::Event(event) => line(out, event, style)?,
        Told::Missed(number) => {
            let number = number.map_or_else(|| "some".to_owned(), count);
            tracing::warn!("{number} events were left out: this reader was too slow");
        }
    }
    out.flush()?;
    Ok(())
}

/// One event on one line: when, what, of what, and the first characters of what it belongs to.
fn line(out: &mut impl Write, event: &DaemonEvent, style: Style) -> Result<(), Failure> {
    let detail = serde_json::to_value(&event.event_type)?;
    let fields = detail.as_object().into_iter().flatten();
    let fields: Vec<String> = fields
        .filter(|(name, _)| !matches!(name.as_str(), "category" | "type"))
        .map(|(_, value)| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    let correlation = event.metadata.correlation_id.to_string();
    writeln!(
        out,
        "{}  {}  {}  {}",
        style.dim(event.timestamp),
        style.bold(event.event_type.name()),
        plain(&fields.join(" ")),
        style.dim(format_args!("~{correlation}"))
    )?;
    Ok(())
}
