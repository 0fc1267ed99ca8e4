//! `crucible services`: what the daemon's services do, and their switches.

use std::io::Write;

use crucible_core::{HealthRecord, ServiceStatus};
use crucible_services::health::HealthStatus;
use serde::Serialize;

use crate::args::{Global, Services, ServicesAction};
use crate::failure::Failure;
use crate::session::{daemon, print_json};
use crate::terminal::{Style, plain};

/// How many health checks `show` shows.
const CHECKS_SHOWN: usize = 10;

/// What `show --json` prints.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    status: ServiceStatus,
    health_history: Vec<HealthRecord>,
}

pub(crate) async fn run(global: &Global, args: &Services) -> Result<(), Failure> {
    let client = daemon(global, &args.vault)?;
    let is_json = args.format.json;
    let changed = match &args.action {
        None | Some(ServicesAction::List) => {
            let services = client.services().await?;
            if is_json {
                return print_json(&services);
            }
            return list(&mut std::io::stdout().lock(), &services, Style::detect());
        }
        Some(ServicesAction::Show { name }) => {
            let shown = Shown {
                status: client.service(name).await?,
                health_history: client.health_history(Some(name), CHECKS_SHOWN).await?,
            };
            if is_json {
                return print_json(&shown);
            }
            return show(&mut std::io::stdout().lock(), &shown, Style::detect());
        }
        Some(ServicesAction::Start { name }) => client.start_service(name).await?,
        Some(ServicesAction::Stop { name }) => client.stop_service(name).await?,
        Some(ServicesAction::Restart { name }) => client.restart_service(name).await?,
    };
    if is_json {
        return print_json(&changed);
    }
    list(&mut std::io::stdout().lock(), &[changed], Style::detect())
}

fn list(out: &mut impl Write, services: &[ServiceStatus], style: Style) -> Result<(), Failure> {
    let width = services
        .iter()
        .map(|service| service.name.len())
        .max()
        .unwrap_or_default();
    for service in services {
        let name = format!("{:<width$}", plain(&service.name));
        let state = format!("{:<12}", service.state.to_string());
        let mut line = format!("{}  {state}  {}", style.bold(name), verdict(service, style));
        if service.restarts > 0 {
            line.push_str(&format!(", restarted {} times", service.restarts));
        }
        if let Some(message) = service
            .health
            .message
            .as_ref()
            .or(service.last_error.as_ref())
        {
            line.push_str(&format!("; {}", plain(message)));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn verdict(service: &ServiceStatus, style: Style) -> String {
    let status = service.health.status;
    match status {
        HealthStatus::Healthy => style.good(word(status)),
        _ => style.warn(word(status)),
    }
}

const fn word(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Healthy => "healthy",
        HealthStatus::Degraded => "degraded",
        HealthStatus::Unhealthy => "unhealthy",
        HealthStatus::Unknown => "unknown",
    }
}

fn show(out: &mut impl Write, shown: &Shown, style: Style) -> Result<(), Failure> {
    let status = &shown.status;
    list(out, std::slice::from_ref(status), style)?;
    writeln!(out, "  kind          {}", status.kind)?;
    writeln!(out, "  version       {}", plain(&status.version))?;
    writeln!(out, "  since         {}", status.since)?;
    if !status.dependencies.is_empty() {
        writeln!(out, "  depends on    {}", status.dependencies.join(", "))?;
    }
    for (name, value) in &status.health.details {
        writeln!(out, "  {:<13} {value}", plain(name))?;
    }
    writeln!(out, "\n{}", style.bold("Last health checks"))?;
    for record in &shown.health_history {
        let message = record.health.message.as_deref().unwrap_or_default();
        let at = style.dim(record.at);
        writeln!(
            out,
            "  {at}  {}  {}",
            word(record.health.status),
            plain(message)
        )?;
    }
    Ok(())
}
