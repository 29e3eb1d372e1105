//! The document and the router say the same, and the document says enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn operations<'a>(document: &'a Value) -> Vec<(&'a str, &'a str, &'a Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&'a String, &'a Value)| {
        item.as_object().unwrap().iter().map(move |(method, one)| (path.as_str(), method.as_str(), one))
    };
    paths.iter().flat_map(each).collect()
}

/// The methods and paths a router really has; axum tells them only in its debug form.
fn routed(router: &axum::Router<Api>) -> BTreeSet<(String, String)> {
    let shown = format!("{router:?}");
    let number = |entry: &str| entry.split(')').next().and_then(|number| number.parse::<usize>().ok());
    let (routes, paths) = shown.split_once("paths: {").unwrap();
    let paths = paths.split("RouteId(").skip(1).filter_map(|entry| Some((number(entry)?, entry.split('"').nth(1)?)));
    // The fallback's own routes come after ours and count from zero again.
    let paths = paths.filter(|(_, path)| path.starts_with('/')).collect::<Vec<_>>();
    let paths: BTreeMap<usize, &str> = paths.into_iter().rev().collect();
    let methods = routes.split("RouteId(").skip(1).flat_map(|entry| {
        let path = number(entry).and_then(|number| paths.get(&number)).copied();
        let taken = METHODS.iter().filter(|method| !entry.contains(&format!("{method}: None")));
        path.into_iter().flat_map(move |path| taken.clone().map(move |method| ((*method).to_owned(), path.to_owned())))
    });
    methods.collect()
}

const METHODS: [&str; 8] = ["get", "head", "delete", "options", "patch", "post", "put", "trace"];

#[test]
fn the_routes_are_the_documents_operations() {
    let (router, _) = endpoints::all().split_for_parts();
    let document = document();
    let documented = operations(&document).into_iter().map(|(path, method, _)| (method.to_owned(), path.to_owned()));
    assert_eq!(routed(&router), documented.collect());
    // The check can fail: an unregistered route is seen, and another method of a registered one.
    let hello = async || "hello";
    let smuggled = router.route("/debug", axum::routing::get(hello)).route("/bookings", axum::routing::delete(hello));
    for (method, path) in [("get", "/debug"), ("delete", "/bookings")] {
        assert!(routed(&smuggled).contains(&(method.to_owned(), path.to_owned())), "{method} {path}");
    }
}

/// The variable that renews the committed document: `INNKEEPER_OPENAPI=write cargo test -p api the_document`.
const WRITE: &str = "INNKEEPER_OPENAPI";

/// A change of the interface is seen where it is reviewed; clients can be made from the file without running anything.
#[test]
fn the_document_is_the_committed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var(WRITE).is_ok_and(|value| value == "write") {
        std::fs::write(path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let line = now.lines().zip(committed.lines()).position(|(now, committed)| now != committed);
    assert!(now == committed, "api/openapi.json differs from line {line:?}; {WRITE}=write renews it");
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let all = operations(&document);
    let names: BTreeSet<&str> =
        all.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), all.len());
    assert!(
        names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')),
        "{names:?}"
    );
    assert_eq!(document["servers"][0]["url"], "/");
}

#[test]
fn every_operation_says_what_it_is_and_how_it_fails() {
    for (path, method, operation) in operations(&document()) {
        assert!(
            operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{method} {path} has no summary"
        );
        assert!(operation["tags"][0].is_string(), "{method} {path} has no tag");
        assert!(operation["responses"]["default"].is_object(), "{method} {path} does not say how it fails");
        let keyed = operation["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"));
        assert_eq!(keyed, method == "post", "{method} {path}");
    }
}

#[test]
fn every_body_is_closed_to_unknown_fields() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let content = operation["requestBody"]["content"].as_object().into_iter().flatten();
        for (_, content) in content.filter(|(media, _)| media.contains("json")) {
            assert_closed(&document, &content["schema"], &format!("{method} {path}"));
        }
    }
}

fn assert_closed(document: &Value, schema: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        return assert_closed(document, document.pointer(name.trim_start_matches('#')).unwrap(), name);
    }
    if let Some(properties) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{place} takes unknown fields");
        properties.values().for_each(|field| assert_closed(document, field, place));
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        schema[several].as_array().into_iter().flatten().for_each(|one| assert_closed(document, one, place));
    }
    if schema["items"].is_object() {
        assert_closed(document, &schema["items"], place);
    }
}

#[test]
fn the_document_is_openapi_3_1_with_all_problems() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["x-problems"].as_array().unwrap().len(), catalogue::CATALOGUE.len());
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}
