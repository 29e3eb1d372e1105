//! The envelope around a small router of its own.

use axum::Router;
use axum::routing::{get, post};
use tower::ServiceExt as _;

use super::*;
use crate::body::Json;
use crate::once::{AnyKey, Command};

fn house() -> Router {
    let settings = Settings { max_in_flight: 1, ..Settings::default() };
    let router = Router::new()
        .route("/panic/{id}", get(async || -> String { panic!("a secret in a panic") }))
        .route("/never", get(std::future::pending::<String>))
        .route("/livez", get(async || "alive"))
        .route("/thing", get(async || Json(serde_json::json!({"is": 1}))).post(wish))
        .route("/text", post(async |text: String| text))
        .fallback(async || Problem::new(&catalogue::NOT_FOUND));
    Envelope { time_limit: Duration::from_millis(300), ..Envelope::new(&settings) }.around(router)
}

async fn wish(_: Command<serde_json::Value, AnyKey>) -> &'static str {
    "made"
}

async fn ask(house: &Router, request: axum::http::request::Builder) -> (StatusCode, HeaderMap, String) {
    let answer = house.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get_of(path: &str) -> axum::http::request::Builder {
    Request::builder().uri(path).header("x-request-id", "req-of-test")
}

#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing_and_the_house_stands() {
    let house = house();
    let (status, headers, body) = ask(&house, get_of("/panic/7")).await;
    assert_eq!((status.as_u16(), headers["content-type"].as_bytes()), (500, problem::CONTENT_TYPE.as_bytes()));
    assert_eq!(headers["x-request-id"], "req-of-test");
    insta::assert_snapshot!(body, @r#"{"type":"urn:innkeeper:problem:internal","title":"Internal error","status":500,"instance":"/panic/7","code":"internal","request_id":"req-of-test","errors":[],"retryable":true}"#);
    assert_eq!(ask(&house, get_of("/thing")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_full_house_turns_away_at_once_but_answers_probes() {
    let house = house();
    let slow = tokio::spawn({
        let house = house.clone();
        async move { ask(&house, get_of("/never")).await }
    });
    tokio::task::yield_now().await;
    let (status, headers, body) = ask(&house, get_of("/thing")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(ask(&house, get_of("/livez")).await.0, StatusCode::OK);
    let (status, _, body) = slow.await.unwrap();
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && body.contains("too_slow"), "{body}");
    assert_eq!(ask(&house, get_of("/thing")).await.0, StatusCode::OK, "the room is free again");
}

#[tokio::test]
async fn what_the_client_knows_is_not_sent_again() {
    let house = house();
    let (_, headers, body) = ask(&house, get_of("/thing")).await;
    assert_eq!(body, r#"{"is":1}"#);
    let tag = headers["etag"].to_str().unwrap();
    let (status, again, body) = ask(&house, get_of("/thing").header("if-none-match", format!("\"x\", {tag}"))).await;
    assert_eq!((status.as_u16(), again["etag"].to_str().unwrap(), body.as_str()), (304, tag, ""));
    assert_eq!(ask(&house, get_of("/thing").header("if-none-match", "\"x\"")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_head_tells_the_tag_that_a_get_would() {
    let house = house();
    let (_, headers, _) = ask(&house, get_of("/thing")).await;
    let (status, head, body) = ask(&house, get_of("/thing").method("HEAD")).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, ""));
    assert_eq!(head["etag"], headers["etag"]);
    let asked = get_of("/thing").method("HEAD").header("if-none-match", &headers["etag"]);
    assert_eq!(ask(&house, asked).await.0, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_probe_is_answered_whatever_version_it_names() {
    let house = house();
    let (status, _, body) = ask(&house, get_of("/livez").header("api-version", "1999-01-01")).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "alive"));
}

#[tokio::test]
async fn every_answer_wears_the_same_headers() {
    let house = house();
    for path in ["/thing", "/panic/7", "/nowhere", "/livez"] {
        let (_, headers, _) = ask(&house, get_of(path)).await;
        for (name, value) in HEADERS {
            assert_eq!(headers[&name], value, "{path}");
        }
    }
}

#[tokio::test]
async fn what_the_framework_refuses_is_a_problem_too() {
    let house = house();
    let (status, headers, body) = ask(&house, get_of("/thing").method("DELETE")).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers["allow"], "GET, HEAD, POST");
    assert!(body.contains("\"code\":\"method_not_allowed\""), "{body}");
    let (_, _, body) = ask(&house, get_of("/nowhere")).await;
    assert!(body.contains("\"code\":\"not_found\""), "{body}");
    let (status, _, body) = ask(&house, get_of("/thing").header("api-version", "1999-01-01")).await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("unsupported_version"), "{body}");
}
