//! `/docs`: the reference as one page without scripts, fonts or any other outside thing; it works offline and in curl.

use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
    h2{margin-top:2.5rem;border-bottom:1px solid #ddd}details{border:1px solid #ddd;border-radius:6px;margin:.4rem 0;padding:.2rem .8rem}\
    summary{cursor:pointer}code,b.m{font-family:ui-monospace,monospace;font-size:13px}b.m{display:inline-block;width:4.5rem}\
    table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #eee;padding:.2rem .6rem .2rem 0;text-align:left;vertical-align:top}\
    .dim{color:#777}@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}a{color:#8ab4f8}}";

/// The content policy that lets exactly this page's style through.
pub(crate) fn content_policy() -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'")
}

/// Renders the document.
pub(crate) fn render(document: &Value) -> String {
    let mut page = String::new();
    let title = text(&document["info"]["title"]);
    write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">"
    )
    .expect(INFALLIBLE);
    write!(page, "<title>{title}: the API</title><style>{STYLE}</style><h1>{title}</h1>").expect(INFALLIBLE);
    write!(
        page,
        "<p>{}</p><p>Version {}. ",
        prose(&document["info"]["description"]),
        text(&document["info"]["version"])
    )
    .expect(INFALLIBLE);
    page.push_str("The same as a machine reads it: <a href=\"/openapi.json\">/openapi.json</a>. ");
    page.push_str("<a href=\"#schemas\">Schemas</a> · <a href=\"#problems\">Problems</a></p>");
    for (tag, operations) in by_tag(document) {
        write!(page, "<h2>{}</h2>", escape(&tag)).expect(INFALLIBLE);
        for operation in operations {
            show(&mut page, &operation, &document["components"]["responses"]);
        }
    }
    page.push_str("<h2 id=schemas>Schemas</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        write!(page, "<details id=\"schema-{0}\"><summary><code>{0}</code></summary>", escape(name)).expect(INFALLIBLE);
        fields(&mut page, schema);
        page.push_str("</details>");
    }
    problems(&mut page, &document["x-problems"]);
    page
}

const INFALLIBLE: &str = "a String takes every text";

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a Value,
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn by_tag(document: &Value) -> std::collections::BTreeMap<String, Vec<Operation<'_>>> {
    let mut tags = std::collections::BTreeMap::<String, Vec<_>>::new();
    for (path, item) in entries(&document["paths"]) {
        for (method, body) in entries(item) {
            let tag = body["tags"][0].as_str().unwrap_or("other").to_owned();
            tags.entry(tag).or_default().push(Operation { method, path, body });
        }
    }
    tags
}

fn show(page: &mut String, Operation { method, path, body }: &Operation<'_>, answers: &Value) {
    let (method, path) = (escape(&method.to_uppercase()), escape(path));
    let summary = text(&body["summary"]);
    write!(
        page,
        "<details><summary><b class=m>{method}</b> <code>{path}</code> <span class=dim>{summary}</span></summary>"
    )
    .expect(INFALLIBLE);
    write!(page, "<p>{}</p>", prose(&body["description"])).expect(INFALLIBLE);
    match list(&body["security"]) {
        [] => {}
        ways if ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)) => {
            page.push_str("<p class=dim>Takes an access token.</p>");
        }
        _ => page.push_str("<p class=dim>Needs an access token.</p>"),
    }
    if !list(&body["parameters"]).is_empty() {
        page.push_str("<table><tr><th>Parameter<th>In<th>Type<th>");
        for parameter in list(&body["parameters"]) {
            let must = if parameter["required"] == true { " <b>required</b>" } else { "" };
            let (name, place, about) =
                (text(&parameter["name"]), text(&parameter["in"]), prose(&parameter["description"]));
            write!(page, "<tr><td><code>{name}</code>{must}<td>{place}<td>{}<td>{about}", kind(&parameter["schema"]))
                .expect(INFALLIBLE);
        }
        page.push_str("</table>");
    }
    for (media, content) in entries(&body["requestBody"]["content"]) {
        write!(page, "<p>Takes <code>{}</code>: {}</p>", escape(media), kind(&content["schema"])).expect(INFALLIBLE);
    }
    page.push_str("<table><tr><th>Answer<th>Body<th>");
    let (failures, answered): (Vec<_>, Vec<_>) =
        entries(&body["responses"]).partition(|(_, response)| response.get("$ref").is_some());
    for (status, response) in answered {
        let bodies: Vec<String> = entries(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
        let about = prose(&response["description"]);
        write!(page, "<tr><td>{}<td>{}<td>{about}", escape(status), bodies.join(", ")).expect(INFALLIBLE);
    }
    // All problems look alike: one row says which there may be.
    let failures: Vec<String> = failures.into_iter().filter_map(|(status, at)| failure(status, at, answers)).collect();
    if !failures.is_empty() {
        let failures = failures.join(" · ");
        write!(page, "<tr><td>else<td><a href=\"#problems\">a problem</a><td>{failures}").expect(INFALLIBLE);
    }
    page.push_str("</table></details>");
}

/// The codes that can stand in the problem that this status refers to; nothing for "any other".
fn failure(status: &str, refers: &Value, answers: &Value) -> Option<String> {
    let name = refers["$ref"].as_str()?.rsplit('/').next()?;
    status.parse::<u16>().ok()?;
    Some(format!("{}: {}", escape(status), prose(&answers[name]["description"]).trim_end_matches('.')))
}

/// A text for people, in which backticks mark code.
fn prose(value: &Value) -> String {
    let text = text(value);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text;
    }
    let part = |(n, part): (usize, &&str)| if n % 2 == 1 { format!("<code>{part}</code>") } else { (*part).to_owned() };
    parts.iter().enumerate().map(part).collect()
}

fn fields(page: &mut String, schema: &Value) {
    write!(page, "<p>{}</p>", prose(&schema["description"])).expect(INFALLIBLE);
    if schema.get("properties").is_none() {
        write!(page, "<p>{}</p>", kind(schema)).expect(INFALLIBLE);
        return;
    }
    page.push_str("<table><tr><th>Field<th>Type<th>");
    let required = list(&schema["required"]);
    for (name, field) in entries(&schema["properties"]) {
        let must = if required.iter().any(|one| one == name) { " <b>required</b>" } else { "" };
        let example = match &field["example"] {
            Value::Null => String::new(),
            example => format!(" <span class=dim>e.g. <code>{}</code></span>", escape(&example.to_string())),
        };
        let (name, about) = (escape(name), prose(&field["description"]));
        write!(page, "<tr><td><code>{name}</code>{must}<td>{}<td>{about}{example}", kind(field)).expect(INFALLIBLE);
    }
    page.push_str("</table>");
}

/// A type in a few words, with links to named ones.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/components/schemas/")) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if !list(&schema[several]).is_empty() {
            return list(&schema[several]).iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if !list(&schema["enum"]).is_empty() {
        let values = list(&schema["enum"]).iter().map(|value| format!("<code>{}</code>", text(value)));
        return values.collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => match schema["format"].as_str() {
            Some(format) => format!("{} ({})", escape(name), escape(format)),
            None => escape(name),
        },
        _ => "any".to_owned(),
    }
}

fn problems(page: &mut String, catalogue: &Value) {
    page.push_str("<h2 id=problems>Problems</h2><table><tr><th>Code<th>Status<th>Repeat?<th>Meaning");
    for kind in list(catalogue) {
        let (code, status, meaning) = (text(&kind["code"]), text(&kind["status"]), prose(&kind["meaning"]));
        let repeat = if kind["retryable"] == true { "yes" } else { "" };
        write!(page, "<tr id=\"problem-{code}\"><td><code>{code}</code><td>{status}<td>{repeat}<td>{meaning}")
            .expect(INFALLIBLE);
    }
    page.push_str("</table></html>");
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_needs_nothing_from_outside_and_trusts_no_text() {
        let document = json!({
            "info": {"title": "<script>alert(1)</script>", "version": "1"},
            "paths": {"/a": {"get": {"summary": "x\" onload=\"y", "tags": ["<b>"], "responses": {"200": {"description": "ok"}}}}},
            "components": {"schemas": {"Thing": {"properties": {"id": {"type": "string"}}, "required": ["id"]}}},
        });
        let page = render(&document);
        for outside in ["<script", "src=", "http:", "https:", "@import", "url(", "<b>"] {
            let found = page.replace("<b>required</b>", "").contains(outside);
            assert!(!found, "{outside} in {page}");
        }
        assert!(page.contains("<code>/a</code>") && page.contains("<b>required</b>"));
    }

    #[test]
    fn problems_are_one_row_and_backticks_are_code() {
        let page = render(&crate::document());
        assert!(!page.contains("A problem."));
        assert!(page.contains("409: <code>"), "a row lists the codes by status");
        assert!(!page.replace("e.g. <code>", "").contains('`'), "a backtick is left");
        assert_eq!(prose(&json!("see `a<b` and `c`")), "see <code>a&lt;b</code> and <code>c</code>");
        assert_eq!(prose(&json!("one ` alone")), "one ` alone");
    }
}
