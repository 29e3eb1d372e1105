//! Entity tags: a client that has read a thing need not read it again, and cannot overwrite what it has not read.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};
use workflows::Expected;

use crate::problem::{Problem, catalogue};

/// The strong tag of a thing with a version.
pub fn of_version(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The strong tag of an answer: of its bytes, behind the version where it has one. A version alone would not do for reading: what
/// is shown beside the thing itself (a home's photographs) changes without it.
pub(crate) fn of_answer(version: Option<&HeaderValue>, bytes: &[u8]) -> HeaderValue {
    let digest = hex::encode(&Sha256::digest(bytes)[..16]);
    let version = version.and_then(|tag| tag.to_str().ok()).map(|tag| tag.trim_matches('"'));
    let tag = version.map_or_else(|| digest.clone(), |version| format!("{version}-{digest}"));
    HeaderValue::from_str(&format!("\"{tag}\"")).expect("a version and hexadecimal digits in quotes")
}

/// The tags a client knows (`If-None-Match`).
pub(crate) struct Known(Vec<String>);

impl Known {
    pub(crate) fn has(&self, tag: &HeaderValue) -> bool {
        // For reading, a weak tag is as good (RFC 9110 §13.1.2).
        tag.to_str().is_ok_and(|tag| self.0.iter().any(|known| known == "*" || known.trim_start_matches("W/") == tag))
    }
}

pub(crate) fn known(headers: &HeaderMap) -> Known {
    Known(list(headers, &header::IF_NONE_MATCH))
}

fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

/// The version that the client read (`If-Match`), whatever was shown beside it; without it the answer is 428. The use case checks it: 412 when stale.
#[derive(Debug)]
pub struct IfMatch(pub Expected);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let tags = list(&parts.headers, &header::IF_MATCH);
        if tags.is_empty() {
            return Err(Problem::new(&catalogue::PRECONDITION_REQUIRED));
        }
        if tags.iter().any(|tag| tag == "*") {
            return Ok(Self(Expected::Any));
        }
        // A tag that is weak or none of ours matches no version: the use case finds it stale.
        let version = |tag: &String| tag.strip_prefix("\"v")?.strip_suffix('"')?.split('-').next()?.parse().ok();
        Ok(Self(Expected::Version(tags.iter().filter_map(version).collect())))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn expected(values: &[&str]) -> Result<Expected, u16> {
        let mut request = Request::builder();
        for value in values {
            request = request.header("if-match", *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        let read = IfMatch::from_request_parts(&mut parts, &()).await;
        read.map(|found| found.0).map_err(|problem| problem.kind().status.as_u16())
    }

    #[tokio::test]
    async fn only_a_strong_tag_of_ours_names_a_version() {
        assert_eq!(expected(&[]).await, Err(428));
        assert_eq!(expected(&[&of_version(7)]).await, Ok(Expected::Version(vec![7])));
        assert_eq!(expected(&["\"v6\", \"v7\"", "\"v8\""]).await, Ok(Expected::Version(vec![6, 7, 8])));
        assert_eq!(expected(&["*"]).await, Ok(Expected::Any));
        for other in ["W/\"v7\"", "v7", "\"7\"", "\"v7x\"", "\"v\""] {
            assert_eq!(expected(&[other]).await, Ok(Expected::Version(vec![])), "{other}");
        }
    }
}
