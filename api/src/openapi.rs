//! The OpenAPI document: made from the same registration as the routes, so that neither can drift from the other.
//!
//! What holds for every operation (problems, the idempotency key, versions) is added here once, instead of in each
//! handler's annotation.

mod failures;

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::{InfoBuilder, OpenApi};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::envelope::API_VERSION;
use crate::problem::{self, ProblemBody, catalogue};

const ABOUT: &str = "A home-sharing marketplace. Instants are RFC 3339, stays are dates, money is whole minor units with a \
    currency. Bodies are read strictly: an unknown field is an error. Lists come in pages with an opaque cursor. Every POST \
    takes an `Idempotency-Key`; where money moves it is required. Errors are problems (RFC 9457) with a stable `code`; \
    all of them are listed under `x-problems`.";

/// For the `params(…)` of an operation whose key is required.
#[derive(IntoParams, serde::Deserialize)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described, never read: the key is read by `Command`")]
pub(crate) struct IdempotencyKey {
    /// Names this intent: sending it again with the same key does it once and shows the first answer again.
    #[serde(rename = "Idempotency-Key")]
    #[param(max_length = 255)]
    key: String,
}

/// For the `params(…)` of an operation that changes a version.
#[derive(IntoParams, serde::Deserialize)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described, never read: the tags are read by `IfMatch`")]
pub(crate) struct IfMatchHeader {
    /// The `ETag` that was read: 428 without it, 412 when it is stale.
    #[serde(rename = "If-Match")]
    tag: String,
}

/// Completes the collected document.
pub(crate) fn complete(mut collected: OpenApi) -> Value {
    collected.info = InfoBuilder::new().title("Innkeeper").version(API_VERSION).description(Some(ABOUT)).build();
    let mut document = serde_json::to_value(&collected).expect("a document is plain JSON");
    document["components"]["securitySchemes"]["bearer"] = json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token of `/login`."});
    let mut schemas = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut schemas);
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema).expect("a schema is plain JSON");
    }
    let schema = json!({"$ref": format!("#/components/schemas/{}", ProblemBody::name())});
    document["components"]["responses"]["Problem"] = json!({"description": "It did not happen; `code` says why.", "content": {(problem::CONTENT_TYPE): {"schema": schema}}});
    // Wherever it is served: a client takes it from the place where it found the document.
    document["servers"] = json!([{"url": "/"}]);
    for (path, method, operation) in operations(&mut document) {
        operation["operationId"] = operation_id(method, path).into();
        operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
        if method == "post" {
            welcome_a_key(operation);
        }
        for status in failures::of(path, method, operation) {
            operation["responses"][status.to_string()] =
                json!({"$ref": format!("#/components/responses/Problem{status}")});
        }
    }
    for (name, response) in failures::responses() {
        document["components"]["responses"][name] = response;
    }
    document["x-problems"] = catalogue::CATALOGUE.iter().map(entry).collect();
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &String, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let items = paths.filter_map(|(path, item)| Some((path, item.as_object_mut()?)));
    let all = items.flat_map(|(path, item)| item.iter_mut().map(move |(method, operation)| (path, method, operation)));
    all.filter(|(_, _, operation)| operation.get("responses").is_some())
}

/// The name that generated clients give the operation: the handler's own (`list`, `show`) is unique only within its group.
fn operation_id(method: &str, path: &str) -> String {
    let steps = path.split('/').filter(|step| !step.is_empty()).map(|step| {
        let word = step.trim_matches(['{', '}', '.']).replace(['-', '.'], "_");
        if step.starts_with('{') { format!("by_{word}") } else { word }
    });
    std::iter::once(method.to_owned()).chain(steps).collect::<Vec<_>>().join("_")
}

fn welcome_a_key(operation: &mut Value) {
    const NAME: &str = "Idempotency-Key";
    let parameters =
        operation.as_object_mut().expect("operations are objects").entry("parameters").or_insert(json!([]));
    let parameters = parameters.as_array_mut().expect("parameters are a list");
    if parameters.iter().all(|parameter| parameter["name"] != NAME) {
        let schema = json!({"type": "string", "maxLength": 255});
        let about = "Names this intent: sending it again with the same key does it once.";
        parameters
            .push(json!({"name": NAME, "in": "header", "required": false, "description": about, "schema": schema}));
    }
}

fn entry(kind: &catalogue::Kind) -> Value {
    json!({
        "code": kind.code,
        "type": kind.uri(),
        "status": kind.status.as_u16(),
        "title": kind.title,
        "retryable": kind.retryable,
        "meaning": kind.meaning,
    })
}

#[cfg(test)]
mod tests {
    use super::operation_id;

    #[test]
    fn an_operation_is_named_by_its_method_and_path() {
        let named = [
            ("get", "/bookings/{id}/timeline", "get_bookings_by_id_timeline"),
            ("post", "/verify-email/resend", "post_verify_email_resend"),
            ("get", "/.well-known/jwks.json", "get_well_known_jwks_json"),
        ];
        for (method, path, name) in named {
            assert_eq!(operation_id(method, path), name);
        }
    }
}
