//! Lists come in pages: an opaque cursor that fits only the list and the filter it was made for.
//!
//! `Page<Filter>` reads `limit`, `cursor` and the filter from the query; the handler asks for [`Page::fetch`] rows after
//! [`Page::after`], and [`Page::of`] makes the answer. There are no page numbers and no totals: rows come and go while a
//! client reads, and a position in the order is the only thing that stays true.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use workflows::Flaw;

use crate::body::{self, Strict};
use crate::problem::{Problem, catalogue};

const DEFAULT_LIMIT: u64 = 25;
const MAX_LIMIT: u64 = 100;
const MAX_CURSOR: usize = 512;

/// Which rows are asked for.
#[derive(Debug)]
pub struct Page<F = NoFilter> {
    /// The rest of the query.
    pub filter: F,
    limit: u64,
    position: Option<Vec<u8>>,
    uri: Uri,
    fit: [u8; 8],
}

/// A list with nothing to choose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// The parameters of every list, for the document: `params(Paging, MyFilter)`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many rows at most, 1 to 100; 25 when absent.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before, with the same filter.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The rows, in the list's order.
    pub data: Vec<T>,
    /// Ask with this for the rows that follow; absent on the last page.
    pub next_cursor: Option<String>,
    /// Whether rows follow.
    pub has_more: bool,
    #[serde(skip)]
    #[schema(ignore)]
    next: Option<HeaderValue>,
}

impl<F: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Page<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        Self::read(parts.uri.clone(), route)
    }
}

impl<F: DeserializeOwned> Page<F> {
    fn read(uri: Uri, route: &str) -> Result<Self, Problem> {
        let (paging, rest) = split(uri.query().unwrap_or_default());
        let Paging { limit, cursor } = query(&paging)?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let flaw = Flaw::new("?limit", "out_of_range", "from 1 to 100");
            return Err(Problem::new(&catalogue::INVALID_QUERY).at([flaw]));
        }
        let fit = fit(route, uri.path(), &rest);
        let position = cursor.map(|cursor| open(&cursor, &fit)).transpose()?;
        Ok(Self { filter: query(&rest)?, limit, position, uri, fit })
    }
}

impl<F> Page<F> {
    /// How many rows to read: one more than are shown, to know whether more follow.
    pub fn fetch(&self) -> u64 {
        self.limit + 1
    }

    /// The position after which to read; `None` on the first page.
    pub fn after<P: DeserializeOwned>(&self) -> Result<Option<P>, Problem> {
        let read = |bytes: &Vec<u8>| serde_json::from_slice(bytes).map_err(|_| bad_cursor());
        self.position.as_ref().map(read).transpose()
    }

    /// The page made of what [`fetch`](Self::fetch) asked for; `position` is where a row stands in the order.
    pub fn of<R, T, P: Serialize>(
        &self,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> P,
        show: impl Fn(R) -> T,
    ) -> Listing<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| seal(&position(last), &self.fit));
        let next = next_cursor.as_deref().and_then(|cursor| self.link(cursor));
        Listing { data: rows.into_iter().map(show).collect(), next_cursor, has_more, next }
    }

    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let (_, rest) = split(self.uri.query().unwrap_or_default());
        let and = if rest.is_empty() { "" } else { "&" };
        let link = format!("<{}?{rest}{and}limit={}&cursor={cursor}>; rel=\"next\"", self.uri.path(), self.limit);
        HeaderValue::from_str(&link).ok()
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(mut self) -> Response {
        let link = self.next.take();
        let mut response = axum::Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// Reads a query string strictly; a flaw names its parameter.
pub(crate) fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(Strict(reader)).map_err(|error| {
        let place = error.path().iter().map(|segment| format!("/{segment}")).collect::<String>();
        let mut flaw = body::flaw(if place == "/?" { String::new() } else { place }, &error.into_inner().to_string());
        flaw.pointer = format!("?{}", flaw.pointer.trim_start_matches('/')).into();
        Problem::new(&catalogue::INVALID_QUERY).at([flaw])
    })
}

/// Parts the paging parameters from the rest, leaving both as they were written.
fn split(query: &str) -> (String, String) {
    let ours = |pair: &&str| matches!(pair.split('=').next(), Some("limit" | "cursor"));
    let (paging, rest): (Vec<&str>, Vec<&str>) = query.split('&').filter(|pair| !pair.is_empty()).partition(ours);
    (paging.join("&"), rest.join("&"))
}

/// What a cursor fits: this route, this path, this filter in any order of its parameters.
fn fit(route: &str, path: &str, rest: &str) -> [u8; 8] {
    let mut pairs: Vec<&str> = rest.split('&').collect();
    pairs.sort_unstable();
    let digest = Sha256::digest([route, path, &pairs.join("&")].join("\0"));
    digest[..8].try_into().expect("a digest has 32 bytes")
}

fn seal(position: &impl Serialize, fit: &[u8; 8]) -> String {
    let position = serde_json::to_vec(position).expect("positions are plain values");
    URL_SAFE_NO_PAD.encode([fit.as_slice(), &position].concat())
}

fn open(cursor: &str, fit: &[u8; 8]) -> Result<Vec<u8>, Problem> {
    let bytes = Some(cursor).filter(|text| text.len() <= MAX_CURSOR).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let position = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(fit.as_slice()));
    position.map(<[u8]>::to_vec).ok_or_else(bad_cursor)
}

fn bad_cursor() -> Problem {
    Problem::new(&catalogue::INVALID_CURSOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ByStatus {
        status: Option<String>,
        year: Option<u16>,
    }

    fn page(uri: &str) -> Result<Page<ByStatus>, Problem> {
        Page::read(uri.parse().unwrap(), "/bookings")
    }

    fn listing(page: &Page<ByStatus>) -> Listing<u32> {
        let after: Option<u32> = page.after().unwrap();
        let from = after.map_or(0, |last| last + 1);
        let rows = (from..10).take(usize::try_from(page.fetch()).unwrap()).collect();
        page.of(rows, |row| *row, |row| row)
    }

    #[test]
    fn pages_follow_each_other_to_the_end_without_gap_or_repeat() {
        let mut uri = "/bookings?status=confirmed&limit=4".to_owned();
        let mut seen = Vec::new();
        loop {
            let listing = listing(&page(&uri).unwrap());
            seen.extend(listing.data.iter().copied());
            assert_eq!(listing.has_more, listing.next_cursor.is_some());
            let Some(link) = listing.next else { break };
            let link = link.to_str().unwrap();
            uri = link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned();
            assert!(link.ends_with("; rel=\"next\""));
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_cursor_fits_only_its_own_filter() {
        let cursor = listing(&page("/bookings?status=confirmed&year=2027&limit=4").unwrap()).next_cursor.unwrap();
        assert!(page(&format!("/bookings?year=2027&cursor={cursor}&status=confirmed")).is_ok());
        let others = ["status=canceled&year=2027", "status=confirmed", "", "year=2027"];
        for other in others {
            let refused = page(&format!("/bookings?{other}&cursor={cursor}")).unwrap_err();
            assert_eq!(refused.kind().code, "invalid_cursor", "{other}");
        }
        assert!(page(&format!("/payouts?status=confirmed&year=2027&cursor={cursor}")).is_err());
        for forged in ["", "x", "AAAAAAAAAAAAAAAA", &"A".repeat(2000), &cursor[1..]] {
            assert!(page(&format!("/bookings?status=confirmed&year=2027&cursor={forged}")).is_err(), "{forged}");
        }
    }

    #[test]
    fn a_wrong_query_names_its_parameter() {
        let cases = [
            ("limit=0", "?limit out_of_range"),
            ("limit=101", "?limit out_of_range"),
            ("limit=-1", "?limit invalid_value"),
            ("limit=1&limit=2", "?limit repeated_field"),
            ("cursor=a&cursor=b", "?cursor repeated_field"),
            ("year=soon", "?year invalid_value"),
            ("year=70000", "?year invalid_value"),
            ("colour=red", "?colour unknown_field"),
            ("status=a&status=b", "?status repeated_field"),
            ("status=%00", "?status invalid_value"),
        ];
        for (query, said) in cases {
            let refused = page(&format!("/bookings?{query}")).unwrap_err();
            let body = serde_json::to_value(refused.body("", "")).unwrap();
            let flaw = &body["errors"][0];
            let heard = format!("{} {}", flaw["pointer"].as_str().unwrap(), flaw["code"].as_str().unwrap());
            assert_eq!(heard, said, "{query}");
            assert_eq!(refused.kind().code, "invalid_query");
        }
        let read = page("/bookings?year=2027&status=a%20b").unwrap().filter;
        assert_eq!((read.status.as_deref(), read.year), (Some("a b"), Some(2027)));
    }
}
