//! The models that can be used now.

use axum::Json;
use axum::extract::State;
use crucible_services::inference::{ModelInfo, ModelKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::engine;
use crate::error::{ApiError, Code};
use crate::routes::Named;
use crate::state::ApiState;

/// Models, those of this process first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ModelList {
    /// Always `list`.
    object: &'static str,
    data: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Model {
    /// The name to ask for.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Always 0: nobody says when a model was made.
    created: u64,
    /// Who runs it: `local`, or a provider's name in the configuration.
    owned_by: String,
    /// What it is for: `embedding` or `generation`.
    kind: ModelKind,
    /// Length of its vectors, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

impl From<ModelInfo> for Model {
    fn from(info: ModelInfo) -> Self {
        Self {
            id: info.name,
            object: "model",
            created: 0,
            owned_by: info.provider,
            kind: info.kind,
            dimensions: info.dimensions,
        }
    }
}

/// `GET /v1/models`: each name once, as the one that is asked first has it.
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<ModelList>, ApiError> {
    let mut data: Vec<Model> = Vec::new();
    for info in engine(&state)?.models().await? {
        if !data.iter().any(|model| model.id == info.name) {
            data.push(info.into());
        }
    }
    Ok(Json(ModelList {
        object: "list",
        data,
    }))
}

/// `GET /v1/models/{model}`; a provider's name may stand before the model's.
pub(super) async fn one(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<Model>, ApiError> {
    let models = engine(&state)?.models().await?;
    let is_pinned = |info: &ModelInfo| {
        let rest = name.strip_prefix(info.provider.as_str());
        rest.and_then(|rest| rest.strip_prefix('/')) == Some(info.name.as_str())
    };
    let found = models
        .into_iter()
        .find(|info| info.name == name || is_pinned(info));
    let missing = || {
        ApiError::new(
            Code::ModelMissing,
            format!("model {name:?} is not available"),
        )
        .hint("GET /v1/models lists what there is")
    };
    let mut model = Model::from(found.ok_or_else(missing)?);
    model.id = name;
    Ok(Json(model))
}
