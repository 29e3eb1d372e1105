//! The OpenAPI document as the tests read it: operations, their schemas, and what they promise to answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The whole document.
pub(crate) struct Document(Value);

/// One method of one path.
pub(crate) struct Operation<'a> {
    /// Such as `POST /bookings/{id}/accept`.
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) tag: String,
    /// The statuses it says it may answer with.
    pub(crate) statuses: BTreeSet<u16>,
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Content type and schema of the body, if it takes one.
    pub(crate) body: Option<(String, &'a Value)>,
    /// Whether it needs an access token.
    pub(crate) is_secured: bool,
}

/// One parameter of an operation.
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: &'a str,
    pub(crate) is_required: bool,
    pub(crate) schema: &'a Value,
}

impl<'a> Parameter<'a> {
    fn of(told: &'a Value) -> Self {
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        Self { name: text("name"), place: text("in"), is_required: told["required"] == true, schema: &told["schema"] }
    }
}

impl Document {
    pub(crate) fn new() -> Self {
        Self(api::document())
    }

    /// Every operation, in the order of the paths.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        let each = |(path, item): (&String, &'_ Value)| -> Vec<(String, String)> {
            item.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone())).collect()
        };
        let names: Vec<(String, String)> = paths.iter().flat_map(|(path, item)| each((path, item))).collect();
        names.into_iter().map(|(path, method)| self.operation(path, method)).collect()
    }

    fn operation(&self, template: String, method: String) -> Operation<'_> {
        let told = &self.0["paths"][&template][&method];
        let parameters = told["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let content = told["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
        let method = method.to_uppercase();
        Operation {
            name: format!("{method} {template}"),
            tag: told["tags"][0].as_str().unwrap_or_default().to_owned(),
            statuses: told["responses"]
                .as_object()
                .expect("responses")
                .keys()
                .filter_map(|key| key.parse().ok())
                .collect(),
            parameters: parameters.iter().map(Parameter::of).collect(),
            body: content.map(|(media, content)| (media.clone(), &content["schema"])),
            is_secured: told["security"]
                .as_array()
                .is_some_and(|ways| !ways.is_empty() && ways.iter().all(|way| *way != json!({}))),
            method,
            template,
        }
    }

    /// The catalogue: each code and its status.
    pub(crate) fn problems(&self) -> BTreeMap<String, u16> {
        let entry = |one: &Value| {
            let status = one["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
            (one["code"].as_str().expect("a code").to_owned(), status)
        };
        self.0["x-problems"].as_array().expect("a catalogue").iter().map(entry).collect()
    }

    /// Follows a reference, and looks through "this or null".
    pub(crate) fn plain<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(place) = schema["$ref"].as_str() {
            return self.plain(self.0.pointer(place.trim_start_matches('#')).expect("references lead somewhere"));
        }
        let several = ["oneOf", "anyOf", "allOf"].iter().find_map(|name| schema[*name].as_array());
        match several.map(|all| all.iter().filter(|one| one["type"] != "null").collect::<Vec<_>>()) {
            Some(only) if only.len() == 1 => self.plain(only[0]),
            _ => schema,
        }
    }

    /// A body with every field that the schema knows, filled with its examples or with something that fits the type.
    pub(crate) fn example(&self, schema: &Value) -> Value {
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        let schema = self.plain(schema);
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        match kind(schema) {
            "object" => {
                let fields = schema["properties"].as_object().cloned().unwrap_or_default();
                Value::Object(
                    fields.iter().map(|(name, field)| (name.clone(), self.example(field))).collect::<Map<_, _>>(),
                )
            }
            "array" => json!([self.example(&schema["items"])]),
            "integer" | "number" => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
            "boolean" => true.into(),
            _ => match schema["format"].as_str() {
                Some("date") => "2030-01-01".into(),
                Some("date-time") => "2030-01-01T00:00:00Z".into(),
                Some("email") => "somebody@example.org".into(),
                _ => "text".into(),
            },
        }
    }

    /// Whether `null` stands for nothing here.
    pub(crate) fn takes_null(schema: &Value) -> bool {
        let is_null = |one: &Value| one == "null" || one["type"] == "null";
        let listed = |name: &str| schema[name].as_array().is_some_and(|all| all.iter().any(is_null));
        listed("type") || listed("oneOf") || listed("anyOf") || is_null(schema)
    }
}

/// The type that a schema names beside `null`; a text when it names none.
pub(crate) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or("string"),
        Value::String(one) => one,
        _ if schema["properties"].is_object() => "object",
        _ => "string",
    }
}
