//! The document and the router say the same, and the document says enough.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn operations<'a>(document: &'a Value) -> Vec<(&'a str, &'a str, &'a Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&'a String, &'a Value)| {
        item.as_object().unwrap().iter().map(move |(method, one)| (path.as_str(), method.as_str(), one))
    };
    paths.iter().flat_map(each).collect()
}

/// The paths a router really has; axum tells them only in its debug form.
fn routed(router: &axum::Router<Api>) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let paths = shown.split("paths: {").nth(1).unwrap().split('}').collect::<Vec<_>>().join("}");
    let inside = paths.split("RouteId(").skip(1).filter_map(|entry| entry.split('"').nth(1));
    inside.filter(|path| path.starts_with('/')).map(str::to_owned).collect()
}

#[test]
fn the_routes_are_the_documents_paths() {
    let (router, collected) = endpoints::all().split_for_parts();
    let documented: BTreeSet<String> = collected.paths.paths.keys().cloned().collect();
    assert_eq!(routed(&router), documented);
    // The check can fail: an unregistered route is seen.
    let smuggled = router.route("/debug", axum::routing::get(async || "hello"));
    assert!(routed(&smuggled).contains("/debug"));
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
