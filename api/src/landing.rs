//! The pages on which people land who follow a link of ours in a browser: a word, and buttons that do what an endpoint does.
//!
//! Following a link changes nothing by itself: programs that look at letters follow links too.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Html;
use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;color:#222;background:#fff}\
    button{font:inherit;padding:.5rem 1rem;margin-right:.5rem}@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}}";

const SCRIPT: &str = "for(const b of document.querySelectorAll('button'))b.onclick=async()=>{\
    const said=document.querySelector('[role=status]');\
    try{const a=await fetch(b.dataset.to,{method:'POST',headers:{'content-type':'application/json'},body:b.dataset.body});\
    if(a.ok){said.textContent=b.dataset.done;document.querySelectorAll('button').forEach(x=>x.remove());return}\
    const p=await a.json();said.textContent=p.detail||p.title}catch(e){said.textContent='There was no answer. Please try again.'}};";

/// Something that can be done here.
pub(crate) struct Button<'a> {
    /// What stands on it.
    pub(crate) label: &'static str,
    /// The path that is asked.
    pub(crate) to: &'a str,
    /// With which body.
    pub(crate) body: &'a Value,
    /// What is said once it is done.
    pub(crate) done: &'static str,
}

/// A page, with the content policy that lets exactly its own style and script through.
pub(crate) fn page(title: &str, says: &str, buttons: &[Button<'_>]) -> (HeaderMap, Html<String>) {
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1><p>{1}</p><p>",
        escape(title),
        escape(says)
    );
    for Button { label, to, body, done } in buttons {
        let (to, body) = (escape(to), escape(&body.to_string()));
        write!(html, "<button data-to=\"{to}\" data-body=\"{body}\" data-done=\"{done}\">{label}</button>")
            .expect("a String takes every text");
    }
    html.push_str("</p><p role=status></p><script>");
    html.push_str(SCRIPT);
    html.push_str("</script>");
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let policy = HeaderValue::try_from(policy).expect("a policy is visible ASCII");
    (HeaderMap::from_iter([(header::CONTENT_SECURITY_POLICY, policy)]), Html(html))
}

fn hash(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_trusts_no_text_and_runs_only_its_own_script() {
        let wicked = json!({"token": "\"><script>alert(1)</script>"});
        let button = Button { label: "Yes", to: "/x?\"", body: &wicked, done: "Done." };
        let (headers, Html(html)) = page("Title", "<b>", &[button]);
        assert_eq!(html.matches("<script>").count(), 1, "{html}");
        assert!(!html.contains("<b>") && !html.contains("?\""), "{html}");
        let script = html.split("<script>").nth(1).unwrap().trim_end_matches("</script>");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains(&hash(script)) && policy.starts_with("default-src 'none'"));
    }
}
