//! What Prometheus reads, and the rules of `promtool check metrics` for it, with ours: our prefix, no ids, no raw paths.

use std::collections::{BTreeMap, BTreeSet};

/// An exposition in the text format, taken apart.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// The families, by name.
    pub families: BTreeMap<String, Family>,
    /// The samples, in order.
    pub samples: Vec<Sample>,
}

/// What is said of a family once.
#[derive(Debug, Default)]
pub(super) struct Family {
    kind: String,
    help: String,
}

/// One line with a value.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    /// Its name, with `_bucket`, `_sum` or `_count` where it is part of a histogram.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// None of our label values has a comma, a quote or a brace but those of route templates.
    fn read(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) =
            series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
        let labels = pairs.map(|pair| {
            let (label, value) = pair.split_once("=\"")?;
            Some((label.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        Some(Self { name: name.to_owned(), labels: labels.collect::<Option<_>>()?, value: value.parse().ok()? })
    }
}

impl Exposition {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut it = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some("HELP"), Some(name), Some(help)) => it.family(name).help = help.to_owned(),
                (Some("#"), Some("TYPE"), Some(name), Some(kind)) => it.family(name).kind = kind.to_owned(),
                _ => it.samples.push(Sample::read(line).ok_or_else(|| format!("no sample: {line}"))?),
            }
        }
        Ok(it)
    }

    fn family(&mut self, name: &str) -> &mut Family {
        self.families.entry(name.to_owned()).or_default()
    }

    /// The family that a sample belongs to.
    fn family_of(&self, sample: &str) -> Option<(&str, &Family)> {
        let whole = self.families.get_key_value(sample);
        let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|end| sample.strip_suffix(end));
        let of_histogram =
            parts.filter_map(|stem| self.families.get_key_value(stem)).find(|(_, f)| f.kind == "histogram");
        whole.or(of_histogram).map(|(name, family)| (name.as_str(), family))
    }

    /// Everything that breaks a rule, a sentence each.
    pub(super) fn flaws(&self) -> Vec<String> {
        let of_families = self.families.iter().flat_map(|(name, family)| flaws_of_family(name, family));
        let of_samples = self.samples.iter().flat_map(|sample| {
            let homeless =
                self.family_of(&sample.name).is_none().then(|| format!("{} has no TYPE and HELP", sample.name));
            homeless.into_iter().chain(sample.labels.iter().filter_map(|label| flaw_of_label(&sample.name, label)))
        });
        of_families.chain(of_samples).chain(self.twice()).chain(self.flaws_of_histograms()).collect()
    }

    /// Series that are there more than once.
    fn twice(&self) -> impl Iterator<Item = String> {
        let mut seen = BTreeSet::new();
        let again = self.samples.iter().filter(move |sample| !seen.insert((&sample.name, &sample.labels)));
        again.map(|sample| format!("{}{:?} is there twice", sample.name, sample.labels))
    }

    /// A bucket has what the one before it has, and the last of them, to infinity, is all that was counted.
    fn flaws_of_histograms(&self) -> impl Iterator<Item = String> {
        let histograms = self.families.iter().filter(|(_, family)| family.kind == "histogram");
        histograms.flat_map(|(name, _)| {
            let of = |end: &str| {
                let whole = format!("{name}{end}");
                self.samples.iter().filter(move |sample| sample.name == whole)
            };
            let flaw = |count: &Sample| {
                let own =
                    of("_bucket").filter(|bucket| bucket.labels.iter().filter(|it| it.0 != "le").eq(&count.labels));
                flaw_of_buckets(&own.collect::<Vec<_>>(), count.value)
            };
            of("_count").filter_map(flaw).map(|flaw| format!("{name} {flaw}")).collect::<Vec<_>>()
        })
    }
}

/// Words of a name that are not base units; prometheus.io/docs/practices/naming has the base units.
const NOT_BASE: &[&str] = &[
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "ms",
    "us",
    "ns",
    "s",
    "sec",
    "secs",
    "minutes",
    "minute",
    "min",
    "hours",
    "hour",
    "days",
    "day",
    "weeks",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "kb",
    "mb",
    "gb",
    "kib",
    "mib",
    "gib",
    "bits",
    "percent",
    "fahrenheit",
];
const KINDS: &[&str] = &["counter", "gauge", "histogram", "summary", "untyped"];

fn flaws_of_family(name: &str, family: &Family) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let (counter, histogram) = (family.kind == "counter", family.kind == "histogram");
    let rules = [
        (
            name.starts_with("innkeeper_") || name.starts_with("process_"),
            "begins neither with innkeeper_ nor with process_",
        ),
        (name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "is not plain snake case"),
        (!family.help.is_empty(), "has no HELP"),
        (KINDS.contains(&family.kind.as_str()), "has no TYPE"),
        (name.ends_with("_total") == counter, "is a counter or ends in _total, but not both"),
        (!["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)), "has a reserved ending"),
        (!words.iter().any(|word| KINDS.contains(word)), "has its type in its name"),
        (!words.iter().any(|word| NOT_BASE.contains(word)), "has a unit that is no base unit"),
        (
            !histogram || name.ends_with("_seconds") || name.ends_with("_bytes") || name.ends_with("_turns"),
            "measures in no unit",
        ),
    ];
    rules.iter().filter(|(well, _)| !well).map(|(_, flaw)| format!("{name} {flaw}")).collect()
}

fn flaw_of_buckets(buckets: &[&Sample], count: f64) -> Option<&'static str> {
    let last = buckets.last().filter(|bucket| bucket.label("le") == Some("+Inf"));
    match last {
        _ if buckets.windows(2).any(|pair| pair[1].value < pair[0].value) => {
            Some("has a bucket with fewer than the one before")
        }
        None => Some("has no bucket to +Inf"),
        Some(last) if last.value != count => Some("has not as many in its last bucket as were counted"),
        Some(_) => None,
    }
}

/// Labels are bounded by the code: no ids, no paths but templates.
fn flaw_of_label(series: &str, (label, value): &(String, String)) -> Option<String> {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let is_number = ["le", "status", "quantile", "version", "revision", "rustc"].contains(&label.as_str());
    let is_template = label != "route" || value == "unmatched" || value.starts_with('/');
    let flaw = match () {
        () if value.is_empty() => "is empty",
        () if !is_number && digits > 0 => "has digits, as ids do",
        () if value.len() > 64 => "is too long for a word of ours",
        () if !is_template => "is no template",
        () if label != "route" && value.contains('/') => "is a path",
        () => return None,
    };
    Some(format!("{series}: {label}={value:?} {flaw}"))
}
