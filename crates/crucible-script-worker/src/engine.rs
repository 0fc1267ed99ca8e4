//! The worker's loop: it loads scripts, runs calls, and ends with the pipe.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crucible_script::protocol::{
    Call, Compiled, Diagnostic, Fault, FromWorker, PROTOCOL, Sandbox, ScriptSource, ToWorker,
};
use rune::runtime::RuntimeContext;
use rune::{Context, Sources, Unit, Vm};
use serde_json::Value;

use crate::compile::{Entry, Program, compile};
use crate::execute::Execution;
use crate::host;
use crate::link::Link;
use crate::pipe::{Pipe, PipeError};

/// Why a worker ends other than in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The pipe does.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The language cannot be set up.
    #[error("the language cannot be set up: {0}")]
    Language(String),
}

/// Speaks with the daemon until it closes the pipe.
pub(crate) fn serve(pipe: Pipe, sandbox: Sandbox) -> Result<(), EngineError> {
    let link = Arc::new(Link::new(pipe));
    let mut engine = Engine::new(&link)?;
    link.send(&FromWorker::Hello {
        protocol: PROTOCOL,
        sandbox,
    })?;
    loop {
        match link.receive() {
            Ok(message) => engine.obey(message)?,
            Err(PipeError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

struct Engine {
    link: Arc<Link>,
    context: Context,
    runtime: Arc<RuntimeContext>,
    scripts: HashMap<String, Loaded>,
}

struct Loaded {
    script: Arc<ScriptSource>,
    unit: Arc<Unit>,
    functions: BTreeMap<String, Entry>,
    sources: Sources,
}

impl Engine {
    fn new(link: &Arc<Link>) -> Result<Self, EngineError> {
        let language = |error: &dyn std::fmt::Display| EngineError::Language(error.to_string());
        // Without standard output: what scripts say goes through `log`.
        let mut context = Context::with_config(false).map_err(|error| language(&error))?;
        for module in host::modules(link).map_err(|error| language(&error))? {
            context.install(module).map_err(|error| language(&error))?;
        }
        let runtime = context.runtime().map_err(|error| language(&error))?;
        Ok(Self {
            link: Arc::clone(link),
            context,
            runtime: Arc::new(runtime),
            scripts: HashMap::new(),
        })
    }

    fn obey(&mut self, message: ToWorker) -> Result<(), PipeError> {
        match message {
            ToWorker::Load(script) => {
                let compiled = self.load(&script);
                let script = script.script.clone();
                self.link.send(&FromWorker::Loaded { script, compiled })
            }
            ToWorker::Unload { script } => {
                self.scripts.remove(&script);
                self.link.send(&FromWorker::Unloaded { script })
            }
            ToWorker::Call(call) => self.call(call),
            ToWorker::Ping => self.link.send(&FromWorker::Pong),
            // Too late: the call has ended.
            ToWorker::Cancel { .. } | ToWorker::HostAnswer { .. } => Ok(()),
        }
    }

    fn load(&mut self, script: &Arc<ScriptSource>) -> Compiled {
        let context = &self.context;
        let caught = catch_unwind(AssertUnwindSafe(|| compile(context, script)));
        let Ok((compiled, program)) = caught else {
            return Compiled {
                functions: Vec::new(),
                diagnostics: vec![Diagnostic {
                    file: script.entry.clone(),
                    line: 0,
                    column: 0,
                    message: "the compiler panicked over this script".to_owned(),
                    fatal: true,
                }],
            };
        };
        if let Some(program) = program {
            let Program {
                unit,
                functions,
                sources,
            } = program;
            let loaded = Loaded {
                script: Arc::clone(script),
                unit: Arc::new(unit),
                functions,
                sources,
            };
            self.scripts.insert(script.script.clone(), loaded);
        }
        compiled
    }

    fn call(&self, mut call: Call) -> Result<(), PipeError> {
        self.link.begin(call.call, &call.budget);
        let mut instructions = 0;
        let outcome = self.run(&mut call, &mut instructions);
        self.link.finish(&call, outcome, instructions)
    }

    fn run(&self, call: &mut Call, instructions: &mut u64) -> Result<Value, Fault> {
        let not_callable = |message: String| Fault::NotCallable { message };
        let loaded = self
            .scripts
            .get(&call.script)
            .ok_or_else(|| not_callable(format!("the script {:?} is not loaded", call.script)))?;
        let entry = loaded.functions.get(&call.function).ok_or_else(|| {
            let names: Vec<&str> = loaded.functions.keys().map(String::as_str).collect();
            let there_is = match names.as_slice() {
                [] => "it has none".to_owned(),
                names => format!("it has {}", names.join(", ")),
            };
            let name = &call.function;
            not_callable(format!(
                "the script has no public function {name:?}; {there_is}"
            ))
        })?;
        if entry.arguments != call.arguments.len() {
            return Err(not_callable(format!(
                "the function {:?} takes {} arguments, and {} were given",
                call.function,
                entry.arguments,
                call.arguments.len()
            )));
        }
        let mut vm = Vm::new(Arc::clone(&self.runtime), Arc::clone(&loaded.unit));
        let mut execution =
            Execution::new(&self.link, &loaded.script, &loaded.sources, call.budget);
        let caught = catch_unwind(AssertUnwindSafe(|| execution.run(&mut vm, entry, call)));
        *instructions = execution.instructions();
        caught.unwrap_or_else(|_| {
            // What the machine holds may be in any state: it is not even taken apart.
            std::mem::forget(vm);
            Err(Fault::Failed {
                message: "the language's own code panicked in this call".to_owned(),
            })
        })
    }
}
