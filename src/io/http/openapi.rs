//! **The question:** how do programs learn what the door takes and tells? An OpenAPI 3.1 document, made from the table
//! of routes and the types themselves: what leave a method takes comes from `rights`, bodies from their types.

mod told;

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::core::access::Act;
use crate::io::http::openapi::told::{Gives, TOLD, Takes, Told};
use crate::io::http::rights;
use crate::io::http::state::ServerState;

/// Made at the first request: it is the same as long as the program runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// `/openapi.json`.
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/openapi.json", get(shown))
}

async fn shown() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (kind, DOCUMENT.as_str()).into_response()
}

fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for (path, method, act) in rights::all() {
        let Some(told) = TOLD.iter().find(|told| told.path == path && told.method == method.as_str()) else { continue };
        let of_path = paths.entry(path).or_insert_with(|| json!({ "parameters": parameters(path) }));
        of_path[method.as_str().to_ascii_lowercase()] = operation(told, act, &mut schemas);
    }
    let definitions = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A media processing node: every camera and voice of a call in, one picture and one sound out.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": with_problem(definitions),
            "responses": { "Problem": {
                "description": "It was not done: `title` says what went wrong, `detail` what to do (RFC 9457).",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
            "securitySchemes": {
                "operator": { "type": "http", "scheme": "bearer", "description":
                    "The node's token (`[http] token`). Without one, steering is open on loopback, closed elsewhere." },
                "access": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description":
                    "An access token, where `[access] keys` are set: its role and room decide (docs/access.md)." },
                "recordings": { "type": "http", "scheme": "bearer", "description":
                    "The recordings' token (TESSERA_RECORDINGS_TOKEN, or told by the node at its start)." },
                "link": { "type": "apiKey", "in": "query", "name": "signature", "description":
                    "A link that `POST …/link` signed." },
            },
        },
    })
}

fn with_problem(mut schemas: Map<String, Value>) -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let problem = json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": { "type": text, "title": text, "status": { "type": "integer" }, "detail": text },
    });
    schemas.insert("Problem".into(), problem);
    schemas
}

/// What stands in braces.
fn parameters(path: &str) -> Value {
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of = named.map(|name| {
        let (pattern, description) = match name {
            "room" => ("^[A-Za-z0-9._~-]{1,64}$", "A room's name"),
            "token" => ("^[A-Za-z0-9_-]+$", "The capability that `Location` told who made it"),
            "run" => ("^[A-Za-z0-9]+$", "One life of a room, as its playlist names it"),
            "rung" => ("^[0-9]+x[0-9]+$", "A rung, by its size"),
            "recording" => ("^[0-9]{8}-r[0-9a-f]{32}$", "A recording's name: the hour of its expiry, and its id"),
            _ => ("^[A-Za-z0-9._-]+$", "A file's name"),
        };
        let schema = json!({ "type": "string", "pattern": pattern });
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
    });
    of.collect()
}

fn operation(told: &Told, act: Act, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for (status, description, gives) in told.gives {
        let mut response = json!({ "description": description });
        match gives {
            Gives::Nothing => {}
            Gives::Json(schema) => response["content"] = json!({ "application/json": { "schema": schema(schemas) } }),
            Gives::File(kind) => response["content"] = json!({ *kind: {} }),
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert("default".into(), json!({ "$ref": "#/components/responses/Problem" }));
    let query = told.query.iter().map(|(name, description)| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
    });
    let mut operation = json!({
        "tags": [told.tag],
        "summary": told.summary,
        "operationId": operation_id(told),
        "parameters": query.collect::<Vec<_>>(),
        "responses": responses,
        "security": security(act, told),
    });
    match told.takes {
        Takes::Nothing => {}
        Takes::Json(schema) => {
            let content = json!({ "application/json": { "schema": schema(schemas) } });
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        Takes::MaybeJson(schema) => {
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema(schemas) } } });
        }
        Takes::File(kinds) => {
            let content: Map<String, Value> = kinds.iter().map(|kind| ((*kind).into(), json!({}))).collect();
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
    }
    operation
}

/// `GET /v1/rooms/{room}` is `get_v1_rooms_room`.
fn operation_id(told: &Told) -> String {
    let words = told.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words = words.fold(told.method.to_ascii_lowercase(), |id, word| id + "_" + word);
    if told.path == "/" { words + "_page" } else { words }
}

fn security(act: Act, told: &Told) -> Value {
    match act {
        // What nodes sign with is said by a header of their own.
        Act::Visit | Act::SteerOwn | Act::TakePart | Act::Settle => json!([]),
        // Without keys nobody is asked.
        Act::Look | Act::Watch | Act::Stream | Act::Publish | Act::Join | Act::Survey => {
            json!([{}, { "access": [] }, { "operator": [] }])
        }
        Act::Arrange | Act::Moderate | Act::Record | Act::Push | Act::Caption | Act::Account | Act::Oversee => {
            json!([{ "operator": [] }, { "access": [] }])
        }
        Act::Archive if told.by_link => json!([{ "recordings": [] }, { "access": [] }, { "link": [] }]),
        Act::Archive => json!([{ "recordings": [] }, { "access": [] }]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A route that answers and is not told, or is told and does not answer, is found here.
    #[test]
    fn every_route_is_told_and_what_is_told_is_a_route() {
        let name = |path: &str, method: &str| format!("{method} {path}");
        let routes: BTreeSet<String> = rights::all().map(|(path, method, _)| name(path, method.as_str())).collect();
        let told: BTreeSet<String> = TOLD.iter().map(|told| name(told.path, told.method)).collect();
        assert_eq!(told.len(), TOLD.len(), "something is told twice");
        assert_eq!(
            routes.difference(&told).collect::<Vec<_>>(),
            [] as [&String; 0],
            "write its row in openapi/told.rs"
        );
        assert_eq!(told.difference(&routes).collect::<Vec<_>>(), [] as [&String; 0], "there is no such route");
    }

    #[test]
    fn the_document_is_whole() {
        let document = document();
        let text = document.to_string();
        let refs: BTreeSet<&str> =
            text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(refs.len() > 10, "{refs:?}");
        for to in refs {
            assert!(document.pointer(to).is_some(), "{to} leads nowhere");
        }
        for schema in document["components"]["schemas"].as_object().unwrap().values() {
            let mut alone = schema.clone();
            alone["components"] = document["components"].clone();
            jsonschema::validator_for(&alone).unwrap();
        }
        let operations = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
        let ids: Vec<&str> = operations.filter_map(|(_, of)| of["operationId"].as_str()).collect();
        assert_eq!(ids.len(), TOLD.len());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id stands twice: {ids:?}");
    }
}
