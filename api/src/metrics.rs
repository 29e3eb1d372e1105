//! What Prometheus learns about requests: rate, errors and duration by route template, and what was turned away.
//!
//! Labels are bounded: the template of the route, never the path; a method nobody serves counts as `other`.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::core::Collector;
use prometheus::{
    HistogramVec, IntCounterVec, IntGauge, TextEncoder, exponential_buckets, histogram_opts, opts,
    register_histogram_vec, register_int_counter_vec, register_int_gauge,
};

const TWICE: &str = "a metric is registered once, here";

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts = opts!("innkeeper_http_requests_total", "Requests answered, by route template and status.");
    register_int_counter_vec!(opts, &["method", "route", "status"]).expect(TWICE)
});

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.001, 2.0, 15).expect("start, factor and count are positive");
    let opts = histogram_opts!("innkeeper_http_request_duration_seconds", "From request to answer.", buckets);
    register_histogram_vec!(opts, &["method", "route"]).expect(TWICE)
});

static IN_FLIGHT: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("innkeeper_http_requests_in_flight", "Requests being answered now.").expect(TWICE)
});

static SHED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts = opts!(
        "innkeeper_http_shed_total",
        "Requests turned away to stay alive, by why and by what they wanted: to read or to write."
    );
    register_int_counter_vec!(opts, &["reason", "class"]).expect(TWICE)
});

/// Every family of this module, also those that have counted nothing yet.
#[must_use]
pub fn families() -> [&'static dyn Collector; 4] {
    [&*REQUESTS, &*DURATION, &*IN_FLIGHT, &*SHED]
}

/// Counts one request from its arrival until this is dropped, also when the client hangs up.
pub(crate) struct Arrival;

impl Arrival {
    pub(crate) fn now() -> Self {
        IN_FLIGHT.inc();
        Self
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        IN_FLIGHT.dec();
    }
}

pub(crate) fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = known(method);
    REQUESTS.with_label_values(&[method, route, status.as_str()]).inc();
    DURATION.with_label_values(&[method, route]).observe(took.as_secs_f64());
}

pub(crate) fn shed(reason: &str, method: &Method) {
    let class = if method.is_safe() { "read" } else { "write" };
    SHED.with_label_values(&[reason, class]).inc();
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// `/metrics` for its own listener: everything that any part of this process has registered.
pub fn router() -> axum::Router {
    axum::Router::new().route("/metrics", get(|| async { exposition() }))
}

fn exposition() -> Response {
    match TextEncoder::new().encode_to_string(&prometheus::gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_turned_away_wanted_to_read_or_to_write() {
        for method in [Method::GET, Method::POST, Method::PUT] {
            shed("full", &method);
        }
        let text = TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap();
        for (class, times) in [("read", 1), ("write", 2)] {
            let line = format!(r#"innkeeper_http_shed_total{{class="{class}",reason="full"}} {times}"#);
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_odd_method_makes_no_new_series() {
        answered(
            &Method::from_bytes(b"BREW").unwrap(),
            "/pot",
            StatusCode::METHOD_NOT_ALLOWED,
            Duration::from_millis(3),
        );
        let text = TextEncoder::new().encode_to_string(&prometheus::gather()).unwrap();
        assert!(
            text.contains(r#"innkeeper_http_requests_total{method="other",route="/pot",status="405"} 1"#),
            "{text}"
        );
        assert!(!text.contains("BREW"));
    }
}
