//! Which problems an operation may answer with: read off what it takes, so that no handler has to say it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::problem::{self, ProblemBody, catalogue};
use utoipa::ToSchema as _;

/// What an operation's parts cannot tell: brakes, things named in a body, expiry, states that forbid.
const ALSO: &[(&str, &str, &[u16])] = &[
    ("post", "/register", &[429]),
    ("post", "/verify-email", &[410]),
    ("post", "/verify-email/resend", &[429]),
    ("post", "/login", &[401, 403, 429]),
    ("post", "/login/refresh", &[401, 403]),
    ("patch", "/properties/{id}", &[409]),
    ("put", "/properties/{id}/availability", &[409]),
    ("post", "/quotes", &[404]),
    ("post", "/bookings", &[404, 410]),
    ("post", "/bookings/{id}/accept", &[410]),
    ("post", "/bookings/{id}/decline", &[410]),
    ("post", "/payments", &[404, 410]),
    ("post", "/admin/brakes/pause", &[404]),
    ("post", "/admin/brakes/resume", &[404]),
    ("post", "/admin/brakes/limit", &[404]),
    ("post", "/admin/work/retry", &[404]),
    ("post", "/admin/work/resolve", &[404]),
    ("post", "/admin/runs/cancel", &[404]),
    ("get", "/sandbox/clock", &[404]),
    ("post", "/sandbox/clock", &[404]),
    ("put", "/sandbox/uploads/{token}", &[410]),
    ("post", "/webhooks/sandbox", &[403]),
];

/// The statuses with which this operation may say that it did not happen.
pub(super) fn of(path: &str, method: &str, operation: &Value) -> BTreeSet<u16> {
    // `Api-Version` is read everywhere, and anybody can be turned away or let down.
    let mut all = BTreeSet::from([400, 500, 503]);
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let is_there = |place: &str| parameters.iter().any(|one| one["in"] == place);
    let is_named = |name: &str| parameters.iter().any(|one| one["name"] == name);
    if operation["security"].as_array().is_some_and(|ways| !ways.is_empty()) {
        all.extend([401, 403]);
    }
    if is_there("path") {
        all.insert(404);
    }
    let takes_a_body = operation["requestBody"].is_object() || method == "post";
    if takes_a_body {
        all.extend([408, 413, 415, 422]);
    }
    if is_named("Idempotency-Key") {
        all.extend([409, 422]);
    }
    if is_named("If-Match") {
        all.extend([412, 428]);
    }
    let also = ALSO.iter().filter(|(m, p, _)| (*m, *p) == (method, path));
    all.extend(also.flat_map(|(_, _, statuses)| statuses.iter().copied()));
    all
}

/// One answer for every status of the catalogue, with the codes that can stand in it.
pub(super) fn responses() -> BTreeMap<String, Value> {
    let mut codes = BTreeMap::<u16, Vec<String>>::new();
    for kind in catalogue::CATALOGUE {
        codes.entry(kind.status.as_u16()).or_default().push(format!("`{}`", kind.code));
    }
    let schema = json!({"$ref": format!("#/components/schemas/{}", ProblemBody::name())});
    let response = |(status, codes): (u16, Vec<String>)| {
        let content = json!({(problem::CONTENT_TYPE): {"schema": schema}});
        (format!("Problem{status}"), json!({"description": format!("{}.", codes.join(", ")), "content": content}))
    };
    codes.into_iter().map(response).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_beside_an_operation_is_said_of_one_that_is() {
        let document = crate::document();
        for (method, path, statuses) in ALSO {
            let operation = &document["paths"][path][method];
            assert!(operation.is_object(), "{method} {path} is gone");
            for status in *statuses {
                assert!(operation["responses"][status.to_string()].is_object(), "{method} {path} {status}");
            }
        }
    }

    #[test]
    fn every_part_of_an_operation_can_fail_in_its_own_way() {
        let operation = json!({
            "security": [{"bearer": []}], "requestBody": {},
            "parameters": [{"in": "path", "name": "id"}, {"in": "header", "name": "If-Match"}],
        });
        let statuses = of("/x/{id}", "patch", &operation);
        assert_eq!(Vec::from_iter(statuses), [400, 401, 403, 404, 408, 412, 413, 415, 422, 428, 500, 503]);
        assert_eq!(Vec::from_iter(of("/x", "get", &json!({}))), [400, 500, 503]);
    }
}
