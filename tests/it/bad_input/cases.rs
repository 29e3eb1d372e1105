//! Everything that can be wrong with one operation's request: body, headers, path, query.

use serde_json::{Value, json};

use super::cast::Cast;
use super::document::{Document, Operation, Parameter, kind};
use super::door::Ask;
use super::examples::{Example, merged};
use super::wrong::{self, ABSURD_DATES, Foreign, prefix, wrong_ids};

/// One request that is wrong in one place.
pub(super) struct Case {
    pub(super) label: String,
    pub(super) ask: Ask,
    /// For what is odd, but not wrong: an answer is as good as a refusal.
    pub(super) may_answer: bool,
}

/// A valid request of an operation, and the ways to spoil it.
pub(super) struct Valid<'a> {
    document: &'a Document,
    operation: &'a Operation<'a>,
    example: &'a Example,
    form: &'a str,
    body: Option<Value>,
}

impl<'a> Valid<'a> {
    pub(super) fn new(
        document: &'a Document,
        operation: &'a Operation<'a>,
        (form, example): (&'a str, &'a Example),
    ) -> Self {
        let schema = operation.body.as_ref().map(|(_, schema)| *schema).filter(|_| example.bytes.is_none());
        let body = schema.map(|schema| merged(document.example(schema), &example.body));
        Self { document, operation, example, form, body }
    }

    /// The valid request itself.
    pub(super) fn ask(&self) -> Ask {
        let Self { operation, example, .. } = self;
        let mut ask = Ask::new(&operation.method, &self.path(&example.path, &example.query));
        if let Some(token) = &example.token {
            ask = ask.by(token);
        }
        if operation.parameters.iter().any(|one| one.name == "Idempotency-Key") {
            ask = ask.with("idempotency-key", self.form);
        }
        for (name, value) in &example.headers {
            ask = ask.with(name, value.as_bytes());
        }
        match (&self.body, &example.bytes) {
            (Some(body), _) => {
                let media = operation.body.as_ref().map_or("application/json", |(media, _)| media);
                ask.with("content-type", media).bytes(body.to_string())
            }
            (None, Some((media, bytes))) => ask.with("content-type", *media).bytes(bytes.clone()),
            (None, None) => ask,
        }
    }

    fn path(&self, values: &[String], query: &[(&str, String)]) -> String {
        let mut path = self.operation.template.clone();
        for value in values {
            let (open, close) = (path.find('{').expect("a parameter"), path.find('}').expect("a parameter"));
            path.replace_range(open..=close, value);
        }
        assert!(!path.contains('{'), "{}: the example lacks a parameter of the path", self.operation.name);
        let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
    }

    /// Every way to spoil it.
    pub(super) fn cases(&self, cast: &Cast) -> Vec<Case> {
        let foreign = |prefix: &str| cast.foreign.get(prefix).cloned();
        let mut all = Vec::new();
        self.spoil_body(&foreign, &mut all);
        self.spoil_headers(&mut all);
        self.spoil_path(&foreign, &mut all);
        self.spoil_query(&mut all);
        self.spoil_authority(cast, &mut all);
        all
    }

    /// Bodies with something odd in one place, each under a key of its own: some are taken, so they are for the end.
    pub(super) fn oddities(&self) -> Vec<Case> {
        let bare = self.ask().without("idempotency-key");
        let has = |name: &str| self.operation.parameters.iter().any(|one| one.name == name);
        let ask = match has("If-Match") {
            true => bare.without("if-match").with("if-match", "*"),
            false => bare,
        };
        let odd = self.body.as_ref().map(wrong::oddities).unwrap_or_default();
        let case = |(n, odd): (usize, wrong::Spoilt)| {
            let ask = ask.clone().bytes(odd.bytes);
            let ask = match has("Idempotency-Key") {
                true => ask.with("idempotency-key", format!("{}, oddity {n}", self.form)),
                false => ask,
            };
            Case { label: odd.label, ask, may_answer: true }
        };
        odd.into_iter().enumerate().map(case).collect()
    }

    fn refuse(all: &mut Vec<Case>, label: impl Into<String>, ask: Ask) {
        all.push(Case { label: label.into(), ask, may_answer: false });
    }

    fn spoil_body(&self, foreign: &Foreign<'_>, all: &mut Vec<Case>) {
        let (ask, nothing) = (self.ask(), json!({"type": "object"}));
        let (schema, body) = match (&self.body, &self.operation.body) {
            (Some(body), Some((_, schema))) => (*schema, body.clone()),
            // What takes no body is not to be given one.
            _ if self.operation.method == "POST" && self.example.bytes.is_none() => (&nothing, json!({})),
            _ => return self.spoil_bytes(all),
        };
        for spoilt in wrong::bodies(self.document, schema, &body, (self.example.free, foreign)) {
            let ask = ask.clone().without("content-type").with("content-type", "application/json");
            Self::refuse(all, spoilt.label, ask.bytes(spoilt.bytes));
        }
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonx",
            "",
            "\u{e9}",
        ] {
            let ask = ask.clone().without("content-type").with("content-type", media).bytes(body.to_string());
            Self::refuse(all, format!("Content-Type: {media}"), ask);
        }
        Self::refuse(all, "no Content-Type", ask.clone().without("content-type").bytes(body.to_string()));
        let is_needed = schema["required"].as_array().is_some_and(|names| !names.is_empty());
        if is_needed {
            Self::refuse(all, "no body", ask.clone().bytes(""));
        }
    }

    fn spoil_bytes(&self, all: &mut Vec<Case>) {
        let Some((_, bytes)) = &self.example.bytes else { return };
        let ask = self.ask();
        Self::refuse(all, "no body", ask.clone().bytes(""));
        Self::refuse(all, "a shorter body", ask.clone().bytes(&bytes[1..]));
        Self::refuse(all, "a longer body", ask.clone().bytes([&bytes[..], b" "].concat()));
        Self::refuse(all, "a body of 2 MB", ask.clone().bytes(vec![b' '; 2_000_000]));
    }

    fn spoil_headers(&self, all: &mut Vec<Case>) {
        let ask = self.ask();
        // A probe is answered whatever version it names.
        if self.operation.tag != "health" {
            Self::refuse(all, "an Api-Version that never was", ask.clone().with("api-version", "1999-12-31"));
        }
        for parameter in self.operation.parameters.iter().filter(|one| one.place == "header") {
            let name = match parameter.name {
                "Idempotency-Key" => "idempotency-key",
                "If-Match" => "if-match",
                "sandbox-signature" => "sandbox-signature",
                "Test-Scenario" => {
                    for word in ["", "end_of_the_world", "SOLD_OUT", "sold_out,sold_out", "\u{e9}"] {
                        Self::refuse(all, format!("Test-Scenario: {word}"), ask.clone().with("test-scenario", word));
                    }
                    continue;
                }
                other => panic!("{other}: say here how it can be wrong"),
            };
            let bare = ask.clone().without(name);
            if parameter.is_required {
                Self::refuse(all, format!("{name} missing"), bare.clone());
            }
            let present = ask.headers.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone());
            let twice = ask.clone().with(name, present.expect("the valid request has it"));
            match name {
                "idempotency-key" => {
                    Self::refuse(all, "two keys", twice);
                    for key in [String::new(), "x".repeat(300), "k\u{e9}y".to_owned(), "a\tb".to_owned()] {
                        Self::refuse(all, format!("Idempotency-Key {key:?}"), bare.clone().with(name, key));
                    }
                }
                "if-match" => {
                    for tag in ["\"0\"", "\"999999\"", "1", "", "W/\"1\"", "\"\u{e9}\"", "\"18446744073709551616\""] {
                        Self::refuse(all, format!("If-Match: {tag}"), bare.clone().with(name, tag));
                    }
                    Self::refuse(all, "a huge If-Match", bare.with(name, format!("\"{}\"", "9".repeat(10_000))));
                }
                _ => {
                    let now = "t=1,v1=00";
                    let long = format!("t={},v1={}", "9".repeat(30), "a".repeat(5_000));
                    for signature in ["", "t=,v1=", now, "v1=00", "t=-1,v1=zz", &long, "\u{e9}"] {
                        Self::refuse(all, format!("{name}: {signature:.40}"), bare.clone().with(name, signature));
                    }
                }
            }
        }
    }

    fn spoil_authority(&self, cast: &Cast, all: &mut Vec<Case>) {
        let (true, Some(token)) = (self.operation.is_secured, &self.example.token) else { return };
        let bare = self.ask().without("authorization");
        Self::refuse(all, "no token", bare.clone());
        let (head, signature) = token.rsplit_once('.').expect("a JWT");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).expect("claims"));
        let wrong = [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer x".to_owned(),
            "Bearer a.b.c".to_owned(),
            format!("Basic {token}"),
            format!("Bearer {head}"),
            format!("Bearer {head}."),
            format!("Bearer {token}x"),
            format!("Bearer {token} {token}"),
            format!("Bearer {head}.{}", "A".repeat(signature.len())),
            format!("Bearer {unsigned}"),
            format!("Bearer {}", cast.guest.refresh),
            format!("Bearer {}", "x".repeat(20_000)),
            format!("Bearer {token}\u{e9}"),
        ];
        for value in wrong {
            Self::refuse(all, format!("Authorization: {value:.60}"), bare.clone().with("authorization", value));
        }
        Self::refuse(all, "two tokens", self.ask().by(token));
    }

    fn spoil_path(&self, foreign: &Foreign<'_>, all: &mut Vec<Case>) {
        let valid = &self.example.path;
        for (index, value) in valid.iter().enumerate() {
            let mut wrong = wrong_ids(value);
            wrong.retain(|one| !one.is_empty());
            wrong.extend(prefix(value).and_then(foreign));
            let odd = [
                "x",
                "%00",
                "%ff",
                "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                "%0d%0aset-cookie:a=b",
                "-1",
                "null",
                "%F0%9F%92%A9",
                "';--",
            ];
            wrong.extend(odd.map(str::to_owned));
            wrong.extend([format!("{value}%00"), format!("{value}%20"), "x".repeat(5_000)]);
            for one in wrong {
                let mut values = valid.clone();
                values[index] = one.clone();
                let path = self.path(&values, &self.example.query);
                Self::refuse(all, format!("the path with {one:.60}"), Ask { path, ..self.ask() });
            }
        }
    }

    fn spoil_query(&self, all: &mut Vec<Case>) {
        let known: Vec<&Parameter<'_>> = self.operation.parameters.iter().filter(|one| one.place == "query").collect();
        if known.is_empty() {
            return;
        }
        let asked = |query: &[(&str, String)]| Ask { path: self.path(&self.example.path, query), ..self.ask() };
        let with = |name: &'static str, value: &str| {
            let mut query = self.example.query.clone();
            query.push((name, value.to_owned()));
            asked(&query)
        };
        Self::refuse(all, "an unknown parameter", with("no_such_parameter", "1"));
        for parameter in known {
            let mut others: Vec<(&str, String)> =
                self.example.query.iter().map(|(name, value)| (*name, value.clone())).collect();
            others.retain(|(name, _)| *name != parameter.name);
            let with = |value: &str| asked(&[&others[..], &[(parameter.name, value.to_owned())]].concat());
            let twice = |value: &str| {
                asked(
                    &[&others[..], &[(parameter.name, value.to_owned()), (parameter.name, value.to_owned())]].concat(),
                )
            };
            let present =
                self.example.query.iter().find(|(name, _)| *name == parameter.name).map_or("1", |(_, value)| value);
            Self::refuse(all, format!("?{} twice", parameter.name), twice(present));
            for (value, must) in self.odd_values(parameter) {
                all.push(Case {
                    label: format!("?{}={value:.60}", parameter.name),
                    ask: with(&value),
                    may_answer: !must,
                });
            }
        }
    }

    /// Values for a parameter of the query, and whether each must be refused.
    fn odd_values(&self, parameter: &Parameter<'_>) -> Vec<(String, bool)> {
        let schema = self.document.plain(parameter.schema);
        let must = |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), true)).collect::<Vec<_>>();
        let may = |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), false)).collect::<Vec<_>>();
        let mut all = may(&["", "%00", "%ff", "%0d%0a", "null", "';--"]);
        all.push(("x".repeat(5_000), false));
        match kind(schema) {
            "integer" => {
                all.extend(must(&["x", "1.5", "1e3", "18446744073709551616", "1e400", "%20"]));
                all.extend(may(&["-1", "9223372036854775807", "-9223372036854775808", "0"]));
            }
            "number" => {
                all.extend(must(&["x"]));
                all.extend(may(&["NaN", "inf", "-inf", "1e308", "1e400", "-1e308", "91", "-181"]));
            }
            "boolean" => all.extend(must(&["maybe", "1", "TRUE"])),
            _ if schema["enum"].is_array() => all.extend(must(&["no_such_value"])),
            _ if schema["format"] == "date" => {
                let (far, wrong) =
                    ABSURD_DATES.iter().partition::<Vec<&str>, _>(|date| date.parse::<chrono::NaiveDate>().is_ok());
                all.extend(must(&wrong));
                all.extend(may(&far));
            }
            _ => all.extend(may(&["usr_00000000000070008000000000000000", "AAAA", "%7B%7D"])),
        }
        // Text in the place of a value that the rules above already call wrong stays wrong.
        all
    }
}
