//! `/v1/models`: what there is, and changing it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::Span;
use utoipa::ToSchema;

use super::{App, body};
use crate::auth::Scope;
use crate::drift::Drift;
use crate::error::{ApiError, Kind};
use crate::fleet::{ChangeError, ModelState, Pair, Running};
use crate::rollout::{Plan, Report};

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    /// Its name.
    name: String,
    /// The version that answers, if it serves.
    champion: Option<Serving>,
    /// The version that is tried.
    challenger: Option<Serving>,
    /// All versions in the repository; none if that does not answer.
    repository: Option<ModelState>,
}

/// A version that serves.
#[derive(Debug, Serialize, ToSchema)]
struct Serving {
    /// Its number in the repository.
    version: u64,
    /// Its bundle's own name for the version.
    label: String,
    /// Which streams it decodes: the identifier in their headers, hexadecimal.
    latent_space: String,
    /// Its decoders, the default first.
    decoders: Vec<&'static str>,
    /// When it was loaded, in seconds since 1970.
    #[serde(serialize_with = "crate::fleet::seconds")]
    #[schema(value_type = f64)]
    loaded: std::time::SystemTime,
    /// Where it comes from and how it scored, from its manifest.
    #[schema(value_type = Object)]
    lineage: serde_json::Value,
    /// Measurements of its makers.
    #[schema(value_type = Object)]
    metrics: serde_json::Value,
}

impl Serving {
    fn of(running: &Running) -> Self {
        let model = running.model();
        let manifest: serde_json::Value =
            serde_json::from_str(model.manifest()).unwrap_or_default();
        Serving {
            version: running.version(),
            label: running.label().to_owned(),
            latent_space: model.latent_space().iter().map(|b| format!("{b:02x}")).collect(),
            decoders: model.decoders().map(pinhole_decoder::DecoderKind::name).collect(),
            loaded: running.loaded(),
            lineage: manifest["lineage"].clone(),
            metrics: manifest["metrics"].clone(),
        }
    }
}

/// A version that is meant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionBody {
    /// Its number in the repository.
    version: u64,
}

/// Why something is taken back.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReasonBody {
    /// For the report and the log.
    reason: Option<String>,
}

/// A trial to start.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct RolloutBody {
    /// The version to try.
    version: u64,
    /// How; what is left out is as configured.
    #[serde(flatten)]
    #[schema(inline)]
    plan: serde_json::Map<String, serde_json::Value>,
}

/// What serves after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    /// The model.
    model: String,
    /// The version that answers now.
    champion: u64,
}

/// The models, their versions and stages.
#[utoipa::path(get, path = "/v1/models", tag = "models", security(("token" = ["read"])),
    responses((status = 200, description = "the models", body = Vec<Model>)))]
pub(super) async fn list(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Vec<Model>>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    Ok(Json(all(&app).await))
}

/// All models that serve or could.
pub(super) async fn all(app: &App) -> Vec<Model> {
    let table = app.fleet().table();
    let mut names: Vec<String> = table.keys().cloned().collect();
    // A repository that does not answer must not hide what serves.
    names.extend(app.fleet().store().models().await.unwrap_or_default());
    names.sort_unstable();
    names.dedup();
    let mut models = Vec::with_capacity(names.len());
    for name in names {
        let pair = table.get(&name);
        models.push(model(app, name, pair.map(AsRef::as_ref)).await);
    }
    models
}

async fn model(app: &App, name: String, pair: Option<&Pair>) -> Model {
    let repository = app.fleet().store().state(&name).await.ok();
    let champion = pair.map(|pair| Serving::of(&pair.champion));
    let challenger = pair.and_then(|pair| pair.challenger.as_ref());
    let challenger = challenger.map(|c| Serving::of(&c.running));
    Model { name, champion, challenger, repository }
}

/// One model.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", params(("model" = String, Path)),
    security(("token" = ["read"])),
    responses((status = 200, description = "the model", body = Model),
        (status = 404, description = "not_found", body = crate::error::Problem)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Model>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    let pair = app.fleet().table().get(&name).cloned();
    let model = model(&app, name, pair.as_deref()).await;
    if model.champion.is_none() && model.repository.is_none() {
        return Err(ApiError::new(Kind::NotFound, format!("no model is named '{}'", model.name)));
    }
    Ok(Json(model))
}

/// Make a version the champion.
///
/// The repository has it durably before the answer is sent; what is in work ends with the version it began with.
#[utoipa::path(post, path = "/v1/models/{model}/promote", tag = "models",
    params(("model" = String, Path)), request_body = VersionBody, security(("token" = ["admin"])),
    responses((status = 200, description = "it is", body = Changed),
        (status = 404, description = "not_found", body = crate::error::Problem),
        (status = 409, description = "conflict", body = crate::error::Problem),
        (status = 422, description = "the bundle is not trusted or cannot serve", body = crate::error::Problem),
        (status = 503, description = "repository", body = crate::error::Problem)))]
pub(super) async fn promote(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Changed>, ApiError> {
    let VersionBody { version } = json(&app, request).await?;
    let (fleet, model) = (app.fleet().clone(), name.clone());
    to_its_end(async move { fleet.promote(&model, version).await }).await?;
    Ok(Json(Changed { model: name, champion: version }))
}

/// Take the last change back.
///
/// A challenger that is being tried is taken out; without one, the champion makes way for its predecessor.
#[utoipa::path(post, path = "/v1/models/{model}/rollback", tag = "models",
    params(("model" = String, Path)), request_body = ReasonBody, security(("token" = ["admin"])),
    responses((status = 200, description = "it is taken back", body = Changed),
        (status = 404, description = "not_found", body = crate::error::Problem),
        (status = 409, description = "conflict", body = crate::error::Problem),
        (status = 503, description = "repository", body = crate::error::Problem)))]
pub(super) async fn rollback(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Changed>, ApiError> {
    let ReasonBody { reason } = json(&app, request).await?;
    let reason = reason.unwrap_or_else(|| "by hand".to_owned());
    let (fleet, model) = (app.fleet().clone(), name.clone());
    let champion = to_its_end(async move { fleet.roll_back(&model, &reason).await }).await?;
    Ok(Json(Changed { model: name, champion }))
}

/// Try a version beside the champion.
///
/// `{"version": 2, "mode": "canary", "share": 0.05}`; `mode` may be `shadow`, `slo` sets objectives. A challenger that misses
/// one is taken out by itself.
#[utoipa::path(post, path = "/v1/models/{model}/rollout", tag = "models",
    params(("model" = String, Path)), request_body = RolloutBody, security(("token" = ["admin"])),
    responses((status = 200, description = "it is tried", body = Report),
        (status = 404, description = "not_found", body = crate::error::Problem),
        (status = 409, description = "conflict", body = crate::error::Problem),
        (status = 422, description = "the bundle is not trusted or cannot serve", body = crate::error::Problem)))]
pub(super) async fn rollout(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Report>, ApiError> {
    let RolloutBody { version, plan } = json(&app, request).await?;
    let plan = planned(&app.config().rollout, plan)?;
    let (fleet, model) = (app.fleet().clone(), name.clone());
    let report = to_its_end(async move { fleet.try_version(&model, version, plan).await }).await?;
    Ok(Json(report))
}

/// The configured plan with a request's settings in place of some of its own.
fn planned(
    configured: &Plan,
    wanted: serde_json::Map<String, serde_json::Value>,
) -> Result<Plan, ApiError> {
    let bad = |e: &dyn std::fmt::Display| ApiError::new(Kind::BadRequest, e.to_string());
    let mut plan = serde_json::to_value(configured).map_err(|e| bad(&e))?;
    for (name, value) in wanted {
        match (plan.get_mut(&name), value) {
            (Some(serde_json::Value::Object(own)), serde_json::Value::Object(wanted)) => {
                own.extend(wanted);
            }
            (_, value) => plan[name] = value,
        }
    }
    let plan: Plan = serde_json::from_value(plan).map_err(|e| bad(&e))?;
    plan.check().map_err(|e| bad(&e))?;
    Ok(plan)
}

/// Champion and challenger side by side: the trial that runs, then those that ended, newest first.
#[utoipa::path(get, path = "/v1/models/{model}/report", tag = "models",
    params(("model" = String, Path)), security(("token" = ["read"])),
    responses((status = 200, description = "the reports", body = Vec<Report>)))]
pub(super) async fn report(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Vec<Report>>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    let reports = app.fleet().reports().into_iter();
    Ok(Json(reports.filter(|report| report.model == name).collect()))
}

/// What arrives, against what the champion was trained for.
#[utoipa::path(get, path = "/v1/models/{model}/drift", tag = "models",
    params(("model" = String, Path)), security(("token" = ["read"])),
    responses((status = 200, description = "the window", body = Drift),
        (status = 404, description = "not_found", body = crate::error::Problem)))]
pub(super) async fn drift(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Drift>, ApiError> {
    app.admit(request.headers(), request.extensions(), Scope::Read)?;
    Ok(Json(app.fleet().pair(Some(&name))?.champion.drift()))
}

/// A change goes to its end even if whoever asked for it hangs up: half a change would be worse.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, ChangeError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(change).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(error) => {
            tracing::error!(%error, "a change failed");
            Err(ApiError::new(Kind::Internal, "the change failed"))
        }
    }
}

/// The body of an administrator's request.
async fn json<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, ApiError> {
    let caller = app.admit(request.headers(), request.extensions(), Scope::Admin)?;
    Span::current().record("caller", &caller.name);
    let (parts, content): (_, Body) = request.into_parts();
    let limits = &app.config().limits;
    let (bytes, _share) = body::read(&parts.headers, content, limits, app.budget()).await?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|e| ApiError::new(Kind::BadRequest, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Mode;

    #[test]
    fn plans_take_over_what_is_configured() {
        let configured = Plan { share: 0.3, ..Plan::default() };
        let wanted = |text: &str| serde_json::from_str(text).unwrap();
        let text = r#"{"mode": "shadow", "slo": {"error_rate": 0.5}}"#;
        let plan = planned(&configured, wanted(text)).unwrap();
        assert_eq!((plan.mode, plan.share, plan.slo.error_rate), (Mode::Shadow, 0.3, 0.5));
        assert_eq!(plan.slo.p95_ratio, configured.slo.p95_ratio);
        for wrong in [r#"{"shrae": 1}"#, r#"{"share": 2}"#, r#"{"slo": {"p96": 1}}"#] {
            assert!(planned(&configured, wanted(wrong)).is_err(), "{wrong}");
        }
    }
}
