//! `crucible script new`.

use std::io::Write as _;
use std::path::Path;

use crucible_script::scaffold::{self, Kind as Begin};

use crate::args::script::New;
use crate::failure::{Failure, Kind};
use crate::terminal::plain;

pub(super) fn run(scripts_dir: &Path, args: &New) -> Result<(), Failure> {
    let kind = match (args.tool, args.cron) {
        (true, _) => Begin::Tool,
        (_, true) => Begin::Cron,
        _ => Begin::Handler,
    };
    let files = scaffold::write(scripts_dir, &args.name, kind)
        .map_err(|why| Failure::message(Kind::Usage, why))?;
    let folder = scripts_dir.join(&args.name);
    let mut out = std::io::stdout().lock();
    for file in files {
        writeln!(
            out,
            "{}",
            plain(&folder.join(file.path).display().to_string())
        )?;
    }
    let name = &args.name;
    writeln!(
        out,
        "\nNext: `crucible script test {name}`, then `crucible script grant {name}`."
    )?;
    Ok(())
}
