//! `innkeeper operator create`: who looks after the marketplace sees what guests and hosts do not.

use anyhow::{Context, Result};
use harness::app::{PASSWORD, Signed};
use harness::program::Finished;
use serde_json::Value;

use super::installation::{Installation, LIMIT};

async fn create(installation: &Installation, email: &str, input: &str) -> Result<Finished> {
    let words = ["operator", "create", "--email", email, "--name", "Olga"];
    installation.command(words)?.run(LIMIT, input).await
}

fn entries(timeline: &Value) -> Result<&Vec<Value>> {
    timeline["data"].as_array().with_context(|| format!("a timeline has entries: {timeline}"))
}

#[tokio::test]
async fn an_operator_sees_a_foreign_booking_from_inside_and_a_stranger_not_at_all() -> Result<()> {
    let installation = Installation::embedded()?;
    let made = create(&installation, "Olga@Example.org", &format!("{PASSWORD}\n")).await?;
    assert_eq!(made.code, Some(0), "{}", made.complained);
    assert!(made.printed.starts_with("usr_") && made.printed.lines().count() == 1, "{}", made.printed);

    let served = installation.serve("up").await?;
    let (host, guest) = (served.site.person("host@example.org").await?, served.site.person("guest@example.org").await?);
    let stranger = served.site.person("stranger@example.org").await?;
    let operator = Signed::from(served.site.log_in("olga@example.org").await);
    let home = served.site.home(&host).await?;
    let booking = served.site.book(&guest, &home, 30).await?;
    served.site.until_phase(&operator, &booking, "awaiting_host").await?;

    let (path, timeline) = (format!("/bookings/{booking}"), format!("/bookings/{booking}/timeline"));
    let seen = served.site.get(Some(&operator), &timeline).await;
    assert_eq!(seen.status, 200);
    let guest_id = served.site.get(Some(&guest), "/profile").await.body["id"].clone();
    let requested = &entries(&seen.body)?[0];
    assert_eq!(
        (&requested["what"], &requested["inside"]["actor"]),
        (&Value::from("requested"), &guest_id),
        "{requested}"
    );
    assert!(requested["inside"]["request_id"].is_string() && requested["inside"]["verdict"] == "moved", "{requested}");

    for party in [&guest, &host] {
        let seen = served.site.get(Some(party), &timeline).await;
        assert_eq!(seen.status, 200);
        assert!(entries(&seen.body)?.iter().all(|entry| entry.get("inside").is_none()), "{}", seen.body);
    }
    for place in [&path, &timeline] {
        assert_eq!(served.site.get(Some(&stranger), place).await.status, 404);
        assert_eq!(served.site.get(None, place).await.status, 401);
    }
    served.stop().await
}

#[tokio::test]
async fn an_operator_needs_a_good_password_and_an_address_of_their_own() -> Result<()> {
    let installation = Installation::embedded()?;
    for (input, says) in [("", "standard input"), ("\n", "standard input"), ("short\n", "password")] {
        let refused = create(&installation, "olga@example.org", input).await?;
        assert_eq!((refused.code, refused.printed.as_str()), (Some(1), ""), "{input:?}");
        assert!(refused.complained.contains(says), "{input:?}: {}", refused.complained);
    }
    assert_eq!(create(&installation, "olga@example.org", PASSWORD).await?.code, Some(0));
    let twice = create(&installation, "OLGA@example.org", PASSWORD).await?;
    assert_eq!((twice.code, twice.printed.as_str()), (Some(1), ""), "{}", twice.complained);
    assert!(!twice.complained.contains(PASSWORD));
    Ok(())
}
