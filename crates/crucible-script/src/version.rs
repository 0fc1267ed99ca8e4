//! A version of a script that compiled: what can be put in force.

use std::sync::Arc;

use crucible_services::script::Error;

use crate::manifest::Manifest;
use crate::nearest::cure;
use crate::package::Package;
use crate::protocol::{Function, ScriptSource};
use crate::runner::Runner;
use crate::wake::Waker;

/// A version of a script.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) manifest: Manifest,
    pub(crate) source: Arc<ScriptSource>,
    pub(crate) functions: Vec<Function>,
    pub(crate) wakers: Vec<Waker>,
}

impl Version {
    /// Compiles a script and checks that it has what its manifest names.
    ///
    /// # Errors
    /// [`Error::Compile`], [`Error::Manifest`], or what keeps the runner from compiling.
    pub(crate) async fn compile(package: Package, runner: &dyn Runner) -> Result<Self, Error> {
        let compiled = runner.check(&package.source).await?;
        if let Some(fault) = compiled.fault() {
            return Err(fault);
        }
        let Package { manifest, source } = package;
        for name in manifest.functions() {
            check_function(name, &compiled.functions)?;
        }
        let wakers = manifest.handlers.iter().map(Waker::new);
        let wakers = wakers.collect::<Result<_, _>>().map_err(Error::Manifest)?;
        Ok(Self {
            manifest,
            source,
            functions: compiled.functions,
            wakers,
        })
    }
}

fn check_function(name: &str, functions: &[Function]) -> Result<(), Error> {
    let known: Vec<&str> = functions.iter().map(|known| known.name.as_str()).collect();
    match functions.iter().find(|known| known.name == name) {
        Some(Function { arguments: 1, .. }) => Ok(()),
        Some(found) => Err(Error::Manifest(format!(
            "the function `{name}` takes {} arguments; what a manifest names is called with one: \
             write `pub fn {name}(input)`",
            found.arguments
        ))),
        None => Err(Error::Manifest(format!(
            "the script has no function `{name}` that can be called{}; write `pub fn {name}(input)`",
            cure(name, &known)
        ))),
    }
}
