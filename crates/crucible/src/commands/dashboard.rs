//! `crucible dashboard`: a link that lets a browser in.

use std::io::Write;

use crate::args::{Dashboard, Global};
use crate::failure::Failure;
use crate::session::daemon;

pub(crate) async fn run(global: &Global, args: &Dashboard) -> Result<(), Failure> {
    let link = daemon(global, &args.vault)?.login_link().await?;
    writeln!(std::io::stdout().lock(), "{link}")?;
    Ok(())
}
