//! How far the index of a vault is, shown while a person waits.

use std::io::IsTerminal as _;
use std::time::Duration;

use crucible_daemon::compose::{IndexProgress, Indexed};
use crucible_daemon::{Daemon, StartError};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const SILENT_FOR: Duration = Duration::from_millis(400);
/// Without a terminal, a line now and then says that work goes on.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Waits until the index is up to date, with a bar on a terminal and log lines elsewhere.
pub(crate) async fn follow(daemon: &Daemon) -> Result<Indexed, StartError> {
    let begun = tokio::time::Instant::now();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let on_terminal = std::io::stderr().is_terminal();
    let mut next_line = begun + LINE_EVERY;
    let mut told = None;
    let result = daemon
        .wait_indexed(|progress| {
            let now = tokio::time::Instant::now();
            if progress.failure.is_some() && told != progress.failure {
                told.clone_from(&progress.failure);
                let failure = told.as_deref();
                bar.suspend(|| {
                    tracing::warn!(failure, "the index is not up to date; trying again")
                });
            }
            if on_terminal {
                if bar.is_hidden() && now.duration_since(begun) > SILENT_FOR {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                show(&bar, progress);
            } else if now >= next_line {
                next_line = now + LINE_EVERY;
                tracing::info!(
                    phase = progress.phase,
                    done = progress.done,
                    total = progress.total,
                    "indexing"
                );
            }
        })
        .await;
    bar.finish_and_clear();
    result
}

fn show(bar: &ProgressBar, progress: &IndexProgress) {
    // How much there is to do is not known while files are still being looked at.
    bar.set_style(style(progress.total > 0));
    bar.set_message(progress.phase);
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

fn style(is_measured: bool) -> ProgressStyle {
    let template = if is_measured {
        "{msg} {bar:30} {human_pos}/{human_len} files  {eta} left"
    } else {
        "{msg} .."
    };
    ProgressStyle::with_template(template).expect("the template is valid")
}
