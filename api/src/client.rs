//! Who is at the other end of the wire, before anybody is signed in: address, request id, trace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::problem::{Problem, catalogue};
use crate::settings::Network;

/// The sender of a request, as far as the connection and the headers tell.
#[derive(Debug, Clone)]
pub struct Client {
    /// The nearest address that no trusted proxy vouches past.
    pub ip: IpAddr,
    /// The request's id: the client's own if it can stand in a log line, else ours.
    pub request_id: String,
    /// The W3C `traceparent`: the client's if it is well formed, else a new one.
    pub trace: String,
    /// What the client calls itself, cut to a length.
    pub agent: Option<String>,
}

impl Client {
    /// Reads the sender from a request.
    pub(crate) fn of(request: &Request, proxies: &[Network]) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let headers = request.headers();
        Self {
            ip: address(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), headers, proxies),
            request_id: text(headers, "x-request-id").filter(|id| is_id(id)).map_or_else(fresh_id, str::to_owned),
            trace: text(headers, "traceparent").filter(|trace| is_trace(trace)).map_or_else(fresh_trace, str::to_owned),
            agent: text(headers, "user-agent").map(|agent| agent.chars().take(200).collect()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let client = parts.extensions.get::<Self>().cloned();
        client.ok_or_else(|| Problem::new(&catalogue::INTERNAL).caused_by("the envelope is not around this route"))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Goes from the nearest hop outwards and stops at the first that is not a proxy of ours: what stands further out is the
/// sender's own claim.
fn address(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let trusted = |ip: IpAddr| proxies.iter().any(|network| network.contains(ip));
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut nearest = peer;
    for hop in hops.iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(ip) if trusted(nearest) => nearest = ip.to_canonical(),
            _ => break,
        }
    }
    nearest
}

fn is_id(id: &str) -> bool {
    (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn fresh_id() -> String {
    format!("req_{}", hex::encode(rand::random::<[u8; 12]>()))
}

fn is_trace(trace: &str) -> bool {
    let parts: Vec<&str> = trace.split('-').collect();
    let hex =
        |part: &str, len: usize| part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let says_something = |part: &str| part.bytes().any(|b| b != b'0');
    matches!(parts[..], ["00", trace, span, flags]
        if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && says_something(trace) && says_something(span))
}

fn fresh_trace() -> String {
    // A zero id is forbidden by the standard; one in 2^64 is near enough to never.
    format!("00-{}-{}-01", hex::encode(rand::random::<[u8; 16]>()), hex::encode(rand::random::<[u8; 8]>()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn client(headers: &[(&str, &str)]) -> Client {
        let mut request = Request::builder().extension(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 1))));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Client::of(&request.body(Body::empty()).unwrap(), &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn a_forged_hop_is_not_believed() {
        let ip = |forwarded: &str| client(&[("x-forwarded-for", forwarded)]).ip.to_string();
        assert_eq!(ip("203.0.113.7"), "203.0.113.7");
        assert_eq!(ip("1.1.1.1, 203.0.113.7"), "203.0.113.7");
        assert_eq!(ip("1.1.1.1, 203.0.113.7, 10.0.0.3"), "203.0.113.7");
        assert_eq!(ip("1.1.1.1, nonsense, 10.0.0.3"), "10.0.0.3");
        assert_eq!(client(&[]).ip.to_string(), "10.0.0.9");
        let stranger = Request::builder().header("x-forwarded-for", "1.1.1.1").body(Body::empty()).unwrap();
        assert_eq!(Client::of(&stranger, &[]).ip.to_string(), "0.0.0.0");
    }

    #[test]
    fn ids_that_would_spoil_a_log_are_replaced() {
        let id = |sent: &str| client(&[("x-request-id", sent)]).request_id;
        assert_eq!(id("order-7.a_b"), "order-7.a_b");
        for spoiling in ["short", "has space in it", "x".repeat(65).as_str(), "quote\"quote", "tab\there.."] {
            assert!(id(spoiling).starts_with("req_"), "{spoiling}");
        }
        let trace = |sent: &str| client(&[("traceparent", sent)]).trace;
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(good), good);
        let long = format!("{good}-x");
        for bad in
            ["", &long, &good.to_uppercase(), "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "01-a-b-c"]
        {
            assert!(trace(bad) != bad && is_trace(&trace(bad)), "{bad}");
        }
    }
}
