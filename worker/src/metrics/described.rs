//! What a family of series means, read off the family itself, so that the list for people cannot drift from the code.

use prometheus::core::Collector;
use prometheus::proto::MetricType;

/// A family, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

impl Described {
    /// The families of a collector.
    #[must_use]
    pub fn of(collector: &dyn Collector) -> Vec<Self> {
        let kinds = collector.collect();
        let described = collector.desc().into_iter().zip(kinds);
        let family = |(desc, family): (&prometheus::core::Desc, prometheus::proto::MetricFamily)| Self {
            name: desc.fq_name.clone(),
            kind: match family.get_field_type() {
                MetricType::COUNTER => "counter",
                MetricType::GAUGE => "gauge",
                _ => "histogram",
            },
            labels: desc.variable_labels.clone(),
            help: desc.help.clone(),
        };
        described.map(family).collect()
    }
}

/// A table of families in Markdown, by name.
#[must_use]
pub fn table(mut families: Vec<Described>) -> String {
    families.sort();
    let row = |Described { name, kind, labels, help }: &Described| {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" ");
        format!("| `{name}` | {kind} | {labels} | {help} |\n")
    };
    let head = "| name | type | labels | what it says |\n|---|---|---|---|\n";
    head.to_owned() + &families.iter().map(row).collect::<String>()
}
