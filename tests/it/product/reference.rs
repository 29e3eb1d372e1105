//! `/openapi.json` and `/docs`: the API described by the process that serves it, also without a net.

use anyhow::{Context, Result};
use serde_json::Value;

use super::installation::Installation;

/// What a page would fetch by itself, or lead to outside of us.
fn outside(page: &str) -> Vec<String> {
    let fetches = ["<script", "<link", "<img", "<iframe", "<object", "<embed", "src=", "@import", "url("];
    let found = fetches.iter().filter(|mark| page.contains(*mark)).map(|mark| (*mark).to_owned());
    let leads = page.split("href=").skip(1).map(|rest| rest.trim_start_matches('"'));
    let away = leads.filter(|target| !target.starts_with(['/', '#']) || target.starts_with("//"));
    found.chain(away.map(|target| target.chars().take(40).collect())).collect()
}

#[tokio::test]
async fn the_reference_is_complete_in_itself() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    let answer = reqwest::get(format!("{}/openapi.json", served.site.url)).await?;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let document: Value = answer.json().await?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    let paths = document["paths"].as_object().context("a document has paths")?;
    assert!(paths.len() >= 30, "{}", paths.len());

    let answer = reqwest::get(format!("{}/docs", served.site.url)).await?;
    let policy = answer.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.starts_with("default-src 'none';"), "a browser would refuse whatever slipped in: {policy}");
    let page = answer.text().await?;
    assert_eq!(outside(&page), Vec::<String>::new());
    for path in paths.keys() {
        assert!(page.contains(path.as_str()), "{path} is not in /docs");
    }
    println!("{} paths; /docs has {} bytes", paths.len(), page.len());
    served.stop().await
}

#[test]
fn a_page_that_would_fetch_something_is_noticed() {
    assert_eq!(outside(r##"<a href="/openapi.json"></a><a href=#x>"##), Vec::<String>::new());
    for page in
        ["<script src=x>", "<link rel=x>", r#"<a href="https://elsewhere">"#, "<a href=//elsewhere>", "@import 'x'"]
    {
        assert!(!outside(page).is_empty(), "{page}");
    }
}
