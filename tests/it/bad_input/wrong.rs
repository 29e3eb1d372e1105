//! The ways in which one value can be wrong.

use serde_json::{Map, Value, json};

use super::document::{Document, kind};

/// One valid body, spoilt in one place.
pub(super) struct Spoilt {
    /// Where and how.
    pub(super) label: String,
    pub(super) bytes: Vec<u8>,
}

/// Somebody else's id with this prefix, if there is one.
pub(super) type Foreign<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What may stand in the place of a value.
enum Instead {
    /// Another value.
    Value(Value),
    /// A text that is no value of `serde_json`: a number that is too large, half a character.
    Raw(&'static str),
}

const RAW: &str = "@raw@";
const AGAIN: &str = "@again@";

/// Every mutation of a valid body that must be refused; `free` are the places where any text is welcome.
pub(super) fn bodies(
    document: &Document,
    schema: &Value,
    valid: &Value,
    (free, foreign): (&[&str], &Foreign<'_>),
) -> Vec<Spoilt> {
    let spoiler = Spoiler { document, valid, free, foreign };
    let mut all = Vec::new();
    spoiler.spoil("", schema, valid, &mut all);
    all.extend(as_a_whole(valid));
    all
}

/// A valid body with something odd in one place: it may be taken or refused, and must not fail.
pub(super) fn oddities(valid: &Value) -> Vec<Spoilt> {
    let mut places = Vec::new();
    collect(valid, "", &mut places);
    let spoil = |place: &String, odd: Option<Value>| {
        let label = odd.as_ref().map_or_else(|| format!("{place} gone"), |odd| format!("{place} is {odd:.60}"));
        Spoilt { label, bytes: with(valid, place, odd).to_string().into_bytes() }
    };
    places.iter().flat_map(|place| odd_values().into_iter().map(move |odd| spoil(place, odd))).collect()
}

/// Every place in a body, as a JSON pointer.
fn collect(value: &Value, at: &str, places: &mut Vec<String>) {
    let beneath: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        _ => vec![],
    };
    for (name, field) in beneath {
        let place = format!("{at}/{name}");
        places.push(place.clone());
        collect(field, &place, places);
    }
}

/// What stands in the place of a value; `None` takes it away.
fn odd_values() -> Vec<Option<Value>> {
    let texts = ["", "x", "\u{0}", "a\u{0}b", "\u{202e}", "2027-02-30", "99999-01-01", "-0001-01-01", "9999-12-31"];
    let ids = [
        "usr_0192f0c1a2b37c4d8e5f60718293a4b5",
        "prp_0192f0c1a2b37c4d8e5f60718293a4b5",
        "bkg_0192f0c1a2b37c4d8e5f60718293a4b5",
    ];
    let numbers = [json!(-1), json!(0), json!(1.5), json!(1e300), json!(i64::MAX), json!(i64::MIN)];
    let shapes =
        [json!(null), json!(true), json!([]), json!({}), json!([[[]]]), json!({"x": 1}), json!("x".repeat(20_000))];
    let texts = texts.into_iter().chain(ids).map(Value::from);
    texts.chain(numbers).chain(shapes).map(Some).chain([None]).collect()
}

/// The body with one place changed.
fn with(body: &Value, place: &str, odd: Option<Value>) -> Value {
    let mut body = body.clone();
    let (parent, name) = place.rsplit_once('/').expect("a pointer begins with a slash");
    let index = || name.parse::<usize>().expect("a place in a list is a number");
    match (body.pointer_mut(parent).expect("a place of the body"), odd) {
        (Value::Object(fields), Some(odd)) => drop(fields.insert(name.to_owned(), odd)),
        (Value::Object(fields), None) => drop(fields.remove(name)),
        (Value::Array(items), Some(odd)) => items[index()] = odd,
        (Value::Array(items), None) => drop(items.remove(index())),
        _ => unreachable!("places are in objects and lists"),
    }
    body
}

struct Spoiler<'a> {
    document: &'a Document,
    valid: &'a Value,
    free: &'a [&'a str],
    foreign: &'a Foreign<'a>,
}

impl Spoiler<'_> {
    fn spoil(&self, place: &str, schema: &Value, value: &Value, all: &mut Vec<Spoilt>) {
        let plain = self.document.plain(schema);
        for (how, instead) in self.instead_of(place, schema, plain, value) {
            all.push(self.with(place, how, instead));
        }
        match value {
            Value::Object(fields) => self.spoil_fields(place, plain, fields, all),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.spoil(&format!("{place}/{index}"), &plain["items"], item, all);
                }
            }
            _ => {}
        }
    }

    fn spoil_fields(&self, place: &str, schema: &Value, fields: &Map<String, Value>, all: &mut Vec<Spoilt>) {
        let shown = if place.is_empty() { "/" } else { place };
        let edit = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut body = self.valid.clone();
            change(body.pointer_mut(place).and_then(Value::as_object_mut).expect("an object of the valid body"));
            body.to_string()
        };
        let unknown = edit(&|object| drop(object.insert("no_such_field".to_owned(), json!(1))));
        all.push(Spoilt { label: format!("{shown} an unknown field"), bytes: unknown.into_bytes() });
        for (name, value) in fields {
            let twice = edit(&|object| drop(object.insert(format!("{AGAIN}{name}"), value.clone())));
            let bytes = twice.replace(AGAIN, "").into_bytes();
            all.push(Spoilt { label: format!("{place}/{name} twice"), bytes });
            let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
            if required {
                let without = edit(&|object| drop(object.remove(name)));
                all.push(Spoilt { label: format!("{place}/{name} missing"), bytes: without.into_bytes() });
            }
            self.spoil(&format!("{place}/{name}"), &schema["properties"][name], value, all);
        }
    }

    fn instead_of(&self, place: &str, schema: &Value, plain: &Value, value: &Value) -> Vec<(String, Instead)> {
        let mut all: Vec<(String, Instead)> = Vec::new();
        let mut say = |how: &str, value: Value| all.push((how.to_owned(), Instead::Value(value)));
        if !Document::takes_null(schema) {
            say("null", Value::Null);
        }
        let others = [json!("text"), json!(7), json!(1.5), json!(true), json!([]), json!({})];
        let fits = |other: &Value| match kind(plain) {
            "string" => other.is_string(),
            "integer" => other.is_i64(),
            "number" => other.is_number(),
            "boolean" => other.is_boolean(),
            "array" => other.is_array(),
            _ => other.is_object(),
        };
        for other in others.iter().filter(|other| !fits(other)) {
            say(&format!("is {other}"), other.clone());
        }
        match (kind(plain), value) {
            ("integer", _) => {
                let least = plain["minimum"].as_i64().unwrap_or(0);
                say("below the least", json!(least - 1));
                say("i64::MIN", json!(i64::MIN));
                say("i64::MAX", json!(i64::MAX));
                if let Some(most) = plain["maximum"].as_i64() {
                    say("above the most", json!(most + 1));
                }
                for raw in ["9223372036854775808", "18446744073709551616", "1e400", "1e30", "-0.5"] {
                    all.push((format!("is {raw}"), Instead::Raw(raw)));
                }
            }
            ("number", _) => {
                say("1e308", json!(1e308));
                say("-1e308", json!(-1e308));
                all.push(("1e400".to_owned(), Instead::Raw("1e400")));
            }
            ("string", Value::String(text)) => self.texts(place, plain, text, &mut all),
            _ => {}
        }
        all
    }

    fn texts(&self, place: &str, schema: &Value, text: &str, all: &mut Vec<(String, Instead)>) {
        let mut say = |how: &str, text: String| all.push((how.to_owned(), Instead::Value(text.into())));
        for wrong in wrong_ids(text) {
            say("no such id", wrong);
        }
        if let Some(foreign) = prefix(text).and_then(|prefix| (self.foreign)(prefix)) {
            say("somebody else's id", foreign);
        }
        match schema["format"].as_str() {
            Some("date") => ABSURD_DATES.iter().for_each(|date| say("absurd date", (*date).to_owned())),
            Some("date-time") => ABSURD_INSTANTS.iter().for_each(|at| say("absurd instant", (*at).to_owned())),
            Some("email") => WRONG_ADDRESSES.iter().for_each(|address| say("no address", (*address).to_owned())),
            _ => {}
        }
        if schema["enum"].is_array() {
            say("unknown value", "no_such_value".to_owned());
        }
        if let Some(most) = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()) {
            say("one character too long", "x".repeat(most + 1));
        }
        say("huge", "x".repeat(60_000));
        all.push(("half a character".to_owned(), Instead::Raw("\"\\ud800\"")));
        if !self.free.contains(&place) {
            let mut say = |how: &str, text: String| all.push((how.to_owned(), Instead::Value(text.into())));
            say("with NUL", format!("{text}\u{0}"));
            say("with ESC", format!("{text}\u{1b}[2J"));
        }
    }

    fn with(&self, place: &str, how: String, instead: Instead) -> Spoilt {
        let mut body = self.valid.clone();
        let target = body.pointer_mut(place).expect("a place of the valid body");
        let text = match instead {
            Instead::Value(value) => {
                *target = value;
                body.to_string()
            }
            Instead::Raw(raw) => {
                *target = RAW.into();
                body.to_string().replacen(&format!("\"{RAW}\""), raw, 1)
            }
        };
        let shown = if place.is_empty() { "/" } else { place };
        Spoilt { label: format!("{shown} {how}"), bytes: text.into_bytes() }
    }
}

/// What can be wrong with a body whatever is in it.
fn as_a_whole(valid: &Value) -> Vec<Spoilt> {
    let text = valid.to_string();
    let spoilt = |label: &str, bytes: Vec<u8>| Spoilt { label: format!("the body {label}"), bytes };
    let mut all = vec![
        spoilt("of 2 MB", format!("{{\"no_such_field\":\"{}\"}}", "x".repeat(2_000_000)).into()),
        spoilt("followed by more", format!("{text}{{}}").into()),
        spoilt("after a byte order mark", format!("\u{feff}{text}").into()),
        spoilt("in UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        spoilt("with a broken character", [b"{\"", &[0xff, 0xfe][..], b"\":1}"].concat()),
        spoilt("of 30000 brackets", "[".repeat(30_000).into()),
        spoilt("of 10000 objects", "{\"a\":".repeat(10_000).into()),
        spoilt("of spaces", " ".into()),
    ];
    for cut in [1, text.len() / 2, text.len() - 1] {
        all.push(spoilt(&format!("cut after {cut} bytes"), text.as_bytes()[..cut].to_vec()));
    }
    if valid.as_object().is_some_and(|fields| !fields.is_empty()) {
        let single = text.replace('"', "'");
        all.push(spoilt("in single quotes", single.into()));
    }
    all
}

/// Ids that can be told from the right one, but name nothing.
pub(super) fn wrong_ids(id: &str) -> Vec<String> {
    let Some(prefix) = prefix(id) else { return vec![] };
    let digits = &id[4..];
    let other = if prefix == "usr_" { "ses_" } else { "usr_" };
    let mut all = vec![
        format!("{prefix}00000000000070008000000000000000"),
        format!("{other}{digits}"),
        digits.to_owned(),
        format!("{prefix}{}", digits.to_uppercase()),
        format!("{prefix}{}", &digits[1..]),
        format!("{id}0"),
        format!("{prefix}{}-", &digits[1..]),
        prefix.to_owned(),
        String::new(),
    ];
    all.retain(|wrong| wrong != id);
    all
}

/// `bkg_`, if this is an id of ours.
pub(super) fn prefix(text: &str) -> Option<&str> {
    let (prefix, digits) = text.split_at_checked(4)?;
    let is_id = prefix.ends_with('_') && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(prefix)
}

/// No day, or none that a stay here could begin or end on.
pub(super) const ABSURD_DATES: [&str; 13] = [
    "",
    "today",
    "2030-02-30",
    "2030-13-01",
    "01.02.2030",
    "2030-01-01T00:00:00Z",
    "20300101",
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "-0001-01-01",
    "+262142-12-31",
    "-262143-01-01",
];

const ABSURD_INSTANTS: [&str; 9] = [
    "",
    "now",
    "2030-01-01",
    "2030-01-01T00:00:00",
    "2030-02-30T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+262142-12-31T23:59:59Z",
    "-262143-01-01T00:00:00Z",
];

const WRONG_ADDRESSES: [&str; 6] =
    ["", "anna", "anna@", "@example.org", "anna@example.org\r\nBcc: all@example.org", "anna huber@example.org"];
