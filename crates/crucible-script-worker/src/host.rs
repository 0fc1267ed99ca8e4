//! The modules that scripts reach the daemon through.
//!
//! Every function of [`HOST_FUNCTIONS`] becomes one that sends its arguments over the pipe and
//! waits; `log` sends lines. A name such as `notes.read` is `crucible::notes::read` and, in short,
//! `notes::read`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crucible_script::host::{HOST_FUNCTIONS, HostFunction};
use crucible_script::protocol::{FRAME_BYTES_MAX, HostError, Level};
use rune::alloc::fmt::TryWrite as _;
use rune::runtime::{Formatter, Protocol, RuntimeError, Value, VmError, VmResult};
use rune::{Any, ContextError, Module};
use serde_json::Value as Json;

use crate::link::Link;
use crate::value::{ValueError, to_json, to_rune};

/// What a function of these gives back: the script sees a `Result`.
type Answer = VmResult<Result<Value, Refusal>>;

/// The functions whose `null` means that there is nothing: scripts see an `Option`.
const OPTIONAL: &[&str] = &["kv.get"];

/// Why the daemon did not do what a script asked for.
#[derive(Any, Debug)]
#[rune(item = ::crucible)]
pub(crate) struct Refusal {
    /// What sort of error, for scripts that tell them apart.
    #[rune(get)]
    kind: String,
    /// The cause, and the cure where there is one.
    #[rune(get)]
    message: String,
}

impl Refusal {
    /// Returns the message, as it stands for a person.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        Self {
            kind: error.kind,
            message: error.message,
        }
    }
}

/// Makes the modules.
pub(crate) fn modules(link: &Arc<Link>) -> Result<Vec<Module>, ContextError> {
    let mut root = Module::with_crate("crucible")?;
    root.ty::<Refusal>()?;
    root.associated_function(&Protocol::DISPLAY_FMT, write_message)?;
    let mut modules = vec![root];

    let mut by_module: BTreeMap<&str, Vec<&'static HostFunction>> = BTreeMap::new();
    for function in HOST_FUNCTIONS {
        let (module, _) = split(function);
        by_module.entry(module).or_default().push(function);
    }
    for (name, functions) in by_module {
        for mut module in both(name)? {
            for function in &functions {
                install(&mut module, function, link)?;
            }
            modules.push(module);
        }
    }
    for mut module in both("log")? {
        for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
            let link = Arc::clone(link);
            let log = move |message: Value| log(&link, level, &message);
            module.function(level.as_str(), log).build()?;
        }
        modules.push(module);
    }
    Ok(modules)
}

/// A module under its long and its short name.
fn both(name: &str) -> Result<[Module; 2], ContextError> {
    Ok([
        Module::with_crate_item("crucible", [name])?,
        Module::with_crate(name)?,
    ])
}

fn split(function: &HostFunction) -> (&'static str, &'static str) {
    function.name.split_once('.').unwrap_or(("", function.name))
}

fn install(
    module: &mut Module,
    function: &'static HostFunction,
    link: &Arc<Link>,
) -> Result<(), ContextError> {
    let link = Arc::clone(link);
    let (_, name) = split(function);
    match function.arguments.len() {
        0 => {
            let call = move || ask(&link, function, &[]);
            module.function(name, call).build()?;
        }
        1 => {
            let call = move |a: Value| ask(&link, function, &[a]);
            module.function(name, call).build()?;
        }
        2 => {
            let call = move |a: Value, b: Value| ask(&link, function, &[a, b]);
            module.function(name, call).build()?;
        }
        _ => {
            let call = move |a: Value, b: Value, c: Value| ask(&link, function, &[a, b, c]);
            module.function(name, call).build()?;
        }
    }
    Ok(())
}

fn ask<const N: usize>(link: &Link, function: &HostFunction, given: &[Value; N]) -> Answer {
    let mut arguments = Vec::with_capacity(N);
    for (value, name) in given.iter().zip(function.arguments) {
        match to_json(value, FRAME_BYTES_MAX as u64) {
            Ok((json, _)) => arguments.push(json),
            Err(error) => {
                let message = format!("{}: the argument `{name}`: {error}", function.name);
                let refusal = HostError::new("invalid", message);
                return VmResult::Ok(Err(refusal.into()));
            }
        }
    }
    match link.host_call(function.name, arguments) {
        Ok(Ok(json)) => match answer_to_rune(function, json) {
            Ok(value) => VmResult::Ok(Ok(value)),
            Err(error) => VmResult::Err(VmError::from(error)),
        },
        Ok(Err(error)) => VmResult::Ok(Err(error.into())),
        Err(_) => VmResult::panic("stopped"),
    }
}

fn answer_to_rune(function: &HostFunction, json: Json) -> Result<Value, RuntimeError> {
    if !OPTIONAL.contains(&function.name) {
        return to_rune(json);
    }
    let value = match json {
        Json::Null => None,
        json => Some(to_rune(json)?),
    };
    rune::to_value(value)
}

fn log(link: &Link, level: Level, message: &Value) -> VmResult<()> {
    let text = match message.borrow_ref::<Refusal>() {
        Ok(refusal) => Some(refusal.message.clone()),
        Err(_) => match to_json(message, link.output_left()) {
            Ok((Json::String(text), _)) => Some(text),
            Ok((json, _)) => Some(json.to_string()),
            Err(ValueError::TooLarge(_)) => None,
            Err(error) => Some(format!("({error})")),
        },
    };
    let logged = match text {
        Some(text) => link.log(level, text),
        // What is larger than what is left of the budget uses it up.
        None => link.output(u64::MAX),
    };
    match logged {
        Ok(()) => VmResult::Ok(()),
        Err(_) => VmResult::panic("stopped"),
    }
}

fn write_message(refusal: &Refusal, formatter: &mut Formatter) -> VmResult<()> {
    match formatter.try_write_str(&refusal.message) {
        Ok(()) => VmResult::Ok(()),
        Err(error) => VmResult::Err(VmError::from(error)),
    }
}
