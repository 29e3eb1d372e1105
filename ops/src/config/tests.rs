//! Every key is known, documented and traceable; secrets stay inside.

use super::layers::{self, Origin};
use super::sections::{Config, SECRETS};
use secrecy::SecretString;
use std::collections::BTreeSet;
use toml::{Table, Value};

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn from(file: &str, environment: &[(&str, &str)]) -> anyhow::Result<layers::Loaded> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    layers::load(Some(file), environment)
}

fn keys(table: &Table) -> BTreeSet<String> {
    let of = |(section, keys): (&String, &Value)| {
        let keys = keys.as_table().expect("every section is a table").keys();
        keys.map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(of).collect()
}

#[test]
fn the_example_is_the_defaults_key_by_key() {
    let example: Table = EXAMPLE.parse().unwrap();
    let defaults = Table::try_from(Config::default()).unwrap();
    assert_eq!(keys(&example), keys(&defaults));
    assert_eq!(example, defaults);
    let comments = EXAMPLE.lines().filter(|line| line.starts_with("# ")).count();
    assert!(comments >= keys(&example).len(), "every key of the example says what it is for");
}

#[test]
fn an_unknown_key_is_an_error_wherever_it_stands() {
    assert!(from("[database]\nulr = \"x\"", &[]).is_err());
    assert!(from("[databse]\nurl = \"x\"", &[]).is_err());
    assert!(from("url = \"x\"", &[]).is_err());
    assert!(from("", &[("INNKEEPER_DATABASE__ULR", "x")]).is_err());
    assert!(from("", &[("INNKEEPER_DATABSE__URL", "x")]).is_err());
    assert!(from("", &[("INNKEEPER_TEST_POSTGRES", "x")]).is_ok(), "names without a section are not ours");
}

#[test]
fn the_environment_wins_over_the_file_and_says_so() {
    let loaded = from("[api]\nmax_in_flight = 7", &[("INNKEEPER_API__MAX_IN_FLIGHT", "9")]).unwrap();
    assert_eq!(loaded.config.api.max_in_flight, 9);
    let origin = Origin::Environment("INNKEEPER_API__MAX_IN_FLIGHT".to_owned());
    assert_eq!(loaded.origins.get("api.max_in_flight"), Some(&origin));
    assert!(from("", &[("INNKEEPER_API__MAX_IN_FLIGHT", "many")]).is_err());
    let deep = from("", &[("INNKEEPER_MARKET__TIMERS__QUOTE_MINUTES", "7")]).unwrap();
    assert_eq!(deep.config.market.timers.quote_minutes, 7);
    let within =
        from("[market.timers]\nquote_minutes = 9", &[("INNKEEPER_MARKET__TIMERS__HOST_ANSWER_HOURS", "5")]).unwrap();
    let timers = within.config.market.timers;
    assert_eq!((timers.quote_minutes, timers.host_answer_hours), (9, 5));
    let from_the_file: Vec<_> =
        within.origins.iter().filter(|(_, o)| **o == Origin::File).map(|(key, _)| key).collect();
    assert_eq!(from_the_file, ["market.timers.quote_minutes"]);
}

#[test]
fn a_secret_is_read_from_the_file_that_the_environment_names_and_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "postgres://app:hunter2@db/innkeeper\n").unwrap();
    let name = file.path().to_str().unwrap();
    let loaded = from("", &[("INNKEEPER_DATABASE__URL_FILE", name)]).unwrap();
    assert_eq!(loaded.config.database.url(), Some("postgres://app:hunter2@db/innkeeper"));
    let shown = format!("{:?} {}", loaded.config, toml::to_string(&loaded.config).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_section_that_cannot_be_is_refused_by_its_own_crate() {
    let checked = |file: &str| from(file, &[]).and_then(|loaded| loaded.config.check());
    assert!(checked("[parties.mail]\ncalls_per_second = 2.5").is_ok());
    let refused = checked("[parties.mail]\ncalls_per_second = -1").unwrap_err();
    assert_eq!(format!("{refused:#}"), "parties.mail: calls_per_second is a number from 0 on, not -1");
    assert!(checked("[market]\nhost_fee_bp = 10001").is_err());
}

/// A secret is a secret by its type: every one of them, whoever adds it, must be on its section's list.
#[test]
fn whatever_hides_its_value_is_listed_as_a_secret() {
    let defaults = Table::try_from(Config::default()).unwrap();
    let mut hidden = BTreeSet::new();
    for place in keys(&defaults) {
        let (section, key) = place.split_once('.').unwrap();
        let mut table = defaults.clone();
        table[section][key] = Value::String("probe".to_owned());
        let Ok(config) = Config::deserialize_table(table) else { continue };
        if Table::try_from(&config).unwrap()[section][key] != Value::String("probe".to_owned()) {
            hidden.insert(place);
        }
    }
    let listed = SECRETS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")));
    assert_eq!(hidden, listed.collect());
}

#[test]
fn production_refuses_to_start_without_its_key() {
    let mut config = Config::default();
    assert!(config.check().is_ok());
    config.installation.sandbox = false;
    assert!(config.check().unwrap_err().to_string().contains("KEY_FILE"));
    config.database.url = SecretString::from("mysql://x");
    assert!(config.check().is_err());
}

#[test]
fn the_retention_of_a_workflow_can_be_set_from_the_file() {
    let loaded = from("[retention.mail]\narchive_after_days = 7\npurge_after_days = \"never\"", &[]);
    let retention = loaded.unwrap().config.retention;
    assert_eq!(retention["mail"].archive_after_days.and_then(engine::After::days), Some(7));
    assert_eq!(retention["mail"].purge_after_days, Some(engine::After::NEVER));
    assert!(from("[retention.mail]\nkeep = 7", &[]).is_err());
    assert!(from("[retention.mail]\npurge_after_days = \"soon\"", &[]).is_err());
}
