//! `/metrics`: on a listener of its own, by the rules of Prometheus, and without anybody's ids.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use harness::wait;
use serde_json::json;

use super::exposition::Exposition;
use super::installation::{Installation, LIMIT};

/// The page for people, which is printed from the code: every family that there is.
const PAGE: &str = include_str!("../../../ops/metrics.md");

/// What does not come about in the little story of this test, and why not.
const ABSENT: [(&str, &str); 6] = [
    ("innkeeper_housekeeping_removed_total", "nothing is old enough"),
    ("innkeeper_http_shed_total", "nobody is turned away"),
    ("innkeeper_work_parked_total", "nothing waits for a person"),
    ("innkeeper_work_retries_total", "nothing fails"),
    ("innkeeper_worker_restarts_total", "nothing of the worker dies"),
    ("innkeeper_workflow_repeats_total", "nothing comes twice"),
];

/// The families of the page.
fn on_the_page() -> impl Iterator<Item = &'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next())
}

/// The families that this test waits for.
fn expected() -> Vec<&'static str> {
    on_the_page().filter(|name| !ABSENT.iter().any(|(absent, _)| absent == name)).collect()
}

#[tokio::test]
async fn what_prometheus_reads_follows_its_rules_and_names_nobody() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    // The schedules of a day fire.
    let moved = served.site.post(None, "/sandbox/clock", &json!({ "seconds": 86_400 })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let (host, guest) = (served.site.person("host@example.org").await?, served.site.person("guest@example.org").await?);
    let home = served.site.home(&host).await?;
    let booking = served.site.book(&guest, &home, 30).await?;
    served.site.until_phase(&guest, &booking, "awaiting_host").await?;
    for unknown in ["/no/such/place", "/bookings/bkg_0", "/.env"] {
        served.site.get(Some(&guest), unknown).await;
    }
    for n in 0..200 {
        served.site.get(None, &format!("/properties/prp_{n:032x}")).await;
        served.site.get(None, &format!("/no/such/{n}")).await;
    }

    // What only the database knows is looked up every few seconds, and a first try of work is counted when it has ended.
    let whole = async || {
        let text = served.exposition().await.ok()?;
        let missing: Vec<_> = expected().into_iter().filter(|it| !text.contains(&format!("# TYPE {it} "))).collect();
        let known = text.contains(r#"{queue="engine",standing="scheduled"}"#);
        println!("missing: {missing:?}, the depths of the queues are known: {known}");
        (missing.is_empty() && known).then_some(text)
    };
    let text = wait::until(LIMIT, "every family, and the depths of the queues", whole).await?;
    let seen = Exposition::read(&text).map_err(anyhow::Error::msg)?;
    assert_eq!(seen.flaws(), Vec::<String>::new());
    assert!(seen.samples.len() < 2_000, "{} series: they follow the traffic", seen.samples.len());
    promtool(&text)?;
    println!("{} families, {} series, {} bytes", seen.families.len(), seen.samples.len(), text.len());
    let route = |path: &str| seen.samples.iter().any(|sample| sample.label("route") == Some(path));
    assert!(route("/bookings/{id}") && route("/properties/{id}") && route("unmatched"), "{text}");
    names_its_build(&seen);
    for private in ["bkg_", "usr_", "prp_", "example.org", ".env", "/no/such"] {
        assert!(!text.contains(private), "{private} is in the metrics");
    }
    served.stop().await
}

/// Of which revision it is, where there is a repository to ask, and by which compiler.
fn names_its_build(seen: &Exposition) {
    let build = seen.samples.iter().find(|sample| sample.name == "innkeeper_build_info").expect("it is waited for");
    let revision = build.label("revision").unwrap_or_default();
    let is_commit = revision.len() == 40 && revision.chars().all(|digit| digit.is_ascii_hexdigit());
    assert!(is_commit || revision == "unknown", "{build:?}");
    assert!(build.label("rustc").is_some_and(|version| version.starts_with("1.")), "{build:?}");
}

#[test]
fn what_is_not_waited_for_is_a_family_of_the_page() {
    assert!(on_the_page().count() > 40, "the page has lost its table");
    for (name, why) in ABSENT {
        assert!(on_the_page().any(|there| there == name), "{name} is no family any more, whether or not {why}");
    }
}

/// The judgement of Prometheus's own tool, where it is installed: CI installs it and says so by this variable, or says that it could
/// not. Our own rules, which hold everywhere, are those of [`Exposition::flaws`].
fn promtool(text: &str) -> Result<()> {
    let asked =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut tool = match asked {
        Err(error) if std::env::var_os("INNKEEPER_TEST_PROMTOOL").is_none() => {
            eprintln!("not checked by promtool: {error}");
            return Ok(());
        }
        asked => asked?,
    };
    tool.stdin.take().context("its input")?.write_all(text.as_bytes())?;
    let judged = tool.wait_with_output()?;
    ensure!(judged.status.success(), "promtool: {}", String::from_utf8_lossy(&judged.stderr));
    Ok(())
}

#[tokio::test]
async fn metrics_and_the_api_keep_to_their_own_listeners() -> Result<()> {
    let installation = Installation::embedded()?;
    let served = installation.serve("up").await?;
    assert_eq!(served.site.get(None, "/metrics").await.status, 404);
    for public in ["/readyz", "/docs", "/login"] {
        let there = served.metrics().replace("/metrics", public);
        assert_eq!(reqwest::get(&there).await?.status(), 404, "{there}");
    }
    assert_eq!(reqwest::get(served.metrics()).await?.status(), 200);
    served.stop().await
}

/// Each rule catches what breaks it, so that the silence above means something.
#[test]
fn every_rule_catches_what_breaks_it() {
    let families = [
        ("http_requests_total", "counter", "begins neither"),
        ("innkeeper_Requests_total", "counter", "snake case"),
        ("innkeeper_requests", "counter", "not both"),
        ("innkeeper_depth_total", "gauge", "not both"),
        ("innkeeper_wait_milliseconds", "gauge", "no base unit"),
        ("innkeeper_wait", "histogram", "no unit"),
        ("innkeeper_depth_gauge", "gauge", "its type"),
        ("innkeeper_depth_count", "gauge", "reserved"),
        ("innkeeper_depth", "number", "no TYPE"),
    ];
    for (name, kind, flaw) in families {
        let text = format!("# HELP {name} Something.\n# TYPE {name} {kind}\n");
        let flaws = Exposition::read(&text).unwrap().flaws();
        assert!(flaws.iter().any(|found| found.contains(flaw)), "{name}: {flaws:?}");
    }
    let depth = "# HELP innkeeper_depth Of work.\n# TYPE innkeeper_depth gauge\n";
    let samples = [
        ("innkeeper_other 1", "no TYPE and HELP"),
        ("innkeeper_depth_sum 1", "no TYPE and HELP"),
        (r#"innkeeper_depth{route="/bookings/bkg_019f"} 1"#, "ids"),
        (r#"innkeeper_depth{route="bookings"} 1"#, "no template"),
        (r#"innkeeper_depth{queue="/a"} 1"#, "a path"),
        (r#"innkeeper_depth{queue=""} 1"#, "empty"),
        ("innkeeper_depth 1\ninnkeeper_depth 2", "twice"),
    ];
    for (line, flaw) in samples {
        let flaws = Exposition::read(&format!("{depth}{line}\n")).unwrap().flaws();
        assert!(flaws.iter().any(|found| found.contains(flaw)), "{line}: {flaws:?}");
    }
    let wait = "# HELP innkeeper_wait_seconds Of work.\n# TYPE innkeeper_wait_seconds histogram\n";
    let bucket =
        |le: &str, count: u32| format!("innkeeper_wait_seconds_bucket{{queue=\"mail\",le=\"{le}\"}} {count}\n");
    let count = |count: u32| format!("innkeeper_wait_seconds_count{{queue=\"mail\"}} {count}\n");
    for (buckets, flaw) in [
        (bucket("1", 3) + &bucket("+Inf", 2) + &count(2), "fewer"),
        (bucket("1", 2) + &bucket("+Inf", 2) + &count(3), "as many"),
        (bucket("1", 2) + &count(2), "+Inf"),
    ] {
        let flaws = Exposition::read(&format!("{wait}{buckets}")).unwrap().flaws();
        assert!(flaws.iter().any(|found| found.contains(flaw)), "{buckets}: {flaws:?}");
    }
    let whole = Exposition::read(&format!("{wait}{}{}{}", bucket("1", 1), bucket("+Inf", 2), count(2))).unwrap();
    assert_eq!(whole.flaws(), Vec::<String>::new());
    let well = format!("{depth}innkeeper_depth{{queue=\"mail\",route=\"/a/{{id}}\"}} 1\n");
    assert_eq!(Exposition::read(&well).unwrap().flaws(), Vec::<String>::new());
    assert!(Exposition::read("innkeeper_depth one\n").is_err());
}
