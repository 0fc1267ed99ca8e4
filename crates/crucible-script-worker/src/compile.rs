//! From a script's files to a unit that can run, or to what is wrong with them.

use std::collections::BTreeMap;

use crucible_script::protocol::{Compiled, Diagnostic, Function, ScriptSource};
use rune::alloc;
use rune::alloc::path::Path;
use rune::ast::{ItemModBody, Span, Spanned as _};
use rune::compile::{self, SourceLoader};
use rune::diagnostics::{Diagnostic as Found, FatalDiagnosticKind};
use rune::item::ComponentRef;
use rune::{Context, Diagnostics, Hash, Item, Options, Source, SourceId, Sources, Unit, ast};

use crate::nesting::{NESTING_MAX, too_deep_at};

/// How many diagnostics are told.
const DIAGNOSTICS_MAX: usize = 100;

/// A script that compiled.
pub(crate) struct Program {
    pub(crate) unit: Unit,
    /// What can be called, by name.
    pub(crate) functions: BTreeMap<String, Entry>,
    /// The files as the language numbers them.
    pub(crate) sources: Sources,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) hash: Hash,
    pub(crate) arguments: usize,
    pub(crate) is_async: bool,
}

/// Compiles a script.
pub(crate) fn compile(context: &Context, script: &ScriptSource) -> (Compiled, Option<Program>) {
    let mut compiled = Compiled::default();
    if let Some(fault) = refuse(script) {
        compiled.diagnostics.push(fault);
        return (compiled, None);
    }
    let program = match build(context, script, &mut compiled) {
        Ok(program) => program,
        Err(error) => {
            compiled
                .diagnostics
                .push(at_no_line(script, error.to_string()));
            None
        }
    };
    compiled.diagnostics.sort_by_key(|found| !found.fatal);
    compiled.diagnostics.truncate(DIAGNOSTICS_MAX);
    (compiled, program)
}

/// Refuses what the compiler would not survive, and a script without its entry.
fn refuse(script: &ScriptSource) -> Option<Diagnostic> {
    if !script.files.contains_key(&script.entry) {
        let missing = format!("the file {:?} is missing", script.entry);
        return Some(at_no_line(script, missing));
    }
    script.files.iter().find_map(|(file, text)| {
        let at = too_deep_at(text)?;
        let (line, column) = line_and_column(text, at);
        Some(Diagnostic {
            file: file.clone(),
            line,
            column,
            message: format!("brackets nest deeper than {NESTING_MAX}"),
            fatal: true,
        })
    })
}

fn build(
    context: &Context,
    script: &ScriptSource,
    compiled: &mut Compiled,
) -> alloc::Result<Option<Program>> {
    let mut sources = Sources::new();
    let entry = script.files.get(&script.entry).map_or("", String::as_str);
    sources.insert(source(&script.entry, entry)?)?;
    let mut diagnostics = Diagnostics::new();
    let mut options = Options::default();
    options.debug_info(true);
    let mut loader = FilesOfScript(script);
    let built = rune::prepare(&mut sources)
        .with_context(context)
        .with_diagnostics(&mut diagnostics)
        .with_options(&options)
        .with_source_loader(&mut loader)
        .build();
    for found in diagnostics.diagnostics() {
        compiled.diagnostics.extend(tell(found, &sources, script));
    }
    let unit = match built {
        Ok(unit) => unit,
        Err(error) => {
            if compiled.fault().is_none() {
                compiled
                    .diagnostics
                    .push(at_no_line(script, error.to_string()));
            }
            return Ok(None);
        }
    };
    let mut functions = BTreeMap::new();
    collect(
        script,
        &script.entry,
        &mut Vec::new(),
        &mut |function, entry| {
            functions.insert(function.name.clone(), entry);
            compiled.functions.push(function);
        },
    );
    Ok(Some(Program {
        unit,
        functions,
        sources,
    }))
}

fn source(file: &str, text: &str) -> alloc::Result<Source> {
    Source::with_path(file, text, Path::new(file))
}

/// Finds the files of modules among those of the script, and nowhere else.
struct FilesOfScript<'a>(&'a ScriptSource);

impl SourceLoader for FilesOfScript<'_> {
    fn load(
        &mut self,
        _root: &Path,
        item: &Item,
        span: &dyn rune::ast::Spanned,
    ) -> compile::Result<Source> {
        let mut names = Vec::new();
        for component in item {
            let ComponentRef::Str(name) = component else {
                let refused = "a module with a file has to stand at the top of a file";
                return Err(compile::Error::msg(span, refused));
            };
            names.push(name.to_owned());
        }
        match file_of_module(self.0, &names) {
            Some((file, text)) => Ok(source(file, text)?),
            None => Err(compile::Error::msg(
                span,
                format!("the script has no file {}.rn", names.join("/")),
            )),
        }
    }
}

fn file_of_module<'s>(script: &'s ScriptSource, names: &[String]) -> Option<(&'s str, &'s str)> {
    let stem = names.join("/");
    [format!("{stem}.rn"), format!("{stem}/mod.rn")]
        .iter()
        .find_map(|file| script.files.get_key_value(file))
        .map(|(file, text)| (file.as_str(), text.as_str()))
}

/// Walks a file that compiled, and the files of its modules: public functions at the top of the
/// entry can be called, tests everywhere.
fn collect(
    script: &ScriptSource,
    file: &str,
    module: &mut Vec<String>,
    found: &mut impl FnMut(Function, Entry),
) {
    let Some(text) = script.files.get(file) else {
        return;
    };
    if let Ok(parsed) = rune::parse::parse_all::<ast::File>(text, SourceId::EMPTY, true) {
        collect_items(script, text, &parsed, module, found);
    }
}

fn collect_items(
    script: &ScriptSource,
    text: &str,
    file: &ast::File,
    module: &mut Vec<String>,
    found: &mut impl FnMut(Function, Entry),
) {
    for (item, _) in &file.items {
        match item {
            ast::Item::Fn(function) => {
                let test = function
                    .attributes
                    .iter()
                    .any(|attribute| slice(text, attribute.path.span()) == "test");
                let public = module.is_empty() && function.visibility.is_public();
                if !(test || public) {
                    continue;
                }
                let mut path = module.clone();
                path.push(slice(text, function.name.span).to_owned());
                let arguments = function.args.len();
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                let entry = Entry {
                    hash: Hash::type_hash(&names),
                    arguments,
                    is_async: function.async_token.is_some(),
                };
                let name = path.join("::");
                found(
                    Function {
                        name,
                        arguments,
                        test,
                    },
                    entry,
                );
            }
            ast::Item::Mod(inner) => {
                module.push(slice(text, inner.name.span).to_owned());
                match &inner.body {
                    ItemModBody::InlineBody(body) => {
                        collect_items(script, text, &body.file, module, found);
                    }
                    _ => {
                        if let Some((file, _)) = file_of_module(script, module) {
                            collect(script, file, module, found);
                        }
                    }
                }
                module.pop();
            }
            _ => {}
        }
    }
}

fn slice(text: &str, span: Span) -> &str {
    text.get(span.range()).unwrap_or_default().trim()
}

fn tell(found: &Found, sources: &Sources, script: &ScriptSource) -> Option<Diagnostic> {
    let (id, span, fatal, message) = match found {
        Found::Fatal(fatal) => {
            let span = match fatal.kind() {
                FatalDiagnosticKind::CompileError(error) => Some(error.span()),
                _ => None,
            };
            (fatal.source_id(), span, true, fatal.to_string())
        }
        Found::Warning(warning) => (warning.source_id(), None, false, warning.to_string()),
        _ => return None,
    };
    let Some(source) = sources.get(id) else {
        let mut told = at_no_line(script, message);
        told.fatal = fatal;
        return Some(told);
    };
    let text = script.files.get(source.name());
    let (line, column) = span.zip(text).map_or((0, 0), |(span, text)| {
        line_and_column(text, span.range().start)
    });
    Some(Diagnostic {
        file: source.name().to_owned(),
        line,
        column,
        message,
        fatal,
    })
}

fn at_no_line(script: &ScriptSource, message: String) -> Diagnostic {
    Diagnostic {
        file: script.entry.clone(),
        line: 0,
        column: 0,
        message,
        fatal: true,
    }
}

/// Returns line and column (in characters) of a byte offset, both from 1.
pub(crate) fn line_and_column(text: &str, at: usize) -> (u64, u64) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let column = &before[start.map_or(0, |start| start + 1)..];
    // Bytes that go on with a character do not begin one.
    let column = column.iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1;
    (line as u64, column as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(line_and_column("ab\ncd", 0), (1, 1));
        assert_eq!(line_and_column("äb\nüd", "äb\nü".len()), (2, 2));
        assert_eq!(line_and_column("", 9), (1, 1));
    }
}
