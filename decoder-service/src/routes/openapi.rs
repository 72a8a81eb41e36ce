//! The OpenAPI document and the page that shows it.

use axum::Router;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use super::{App, decode, encode, health, info, models, operator};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pinhole decoding service",
        description = "Streams to pictures and back, with models that can change under load. \
            Errors are problems (RFC 9457) whose `code` is for programs.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        decode::decode, encode::encode, info::info, models::list, models::one, models::promote,
        models::rollback, models::rollout, models::report, models::drift, operator::data,
        health::alive, health::ready, health::metrics
    ),
    modifiers(&Token)
)]
struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// `/openapi.json`, and the page at `/docs`.
pub(super) fn pages() -> Router<App> {
    SwaggerUi::new("/docs").url("/openapi.json", document()).into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_is_described() {
        let document = serde_json::to_value(super::document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let source = include_str!("mod.rs");
        let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        let routes: Vec<&str> = routes.filter_map(|rest| rest.split('"').next()).collect();
        assert!(routes.len() > 10);
        for route in routes.into_iter().filter(|route| *route != "/operator") {
            assert!(paths.contains_key(route), "{route}");
        }
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    }
}
