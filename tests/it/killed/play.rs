//! A play from beginning to end: build the town, let crowd and monkey loose, heal, let time pass, judge.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use super::client::{Ask, Client, Fare};
use super::crowd::Stage;
use super::installation::Installation;
pub(super) use super::monkey::Chaos;
use super::monkey::{Deeds, monkey};
use super::oracle::{Findings, Scene, Since, Wrong, judge};
use super::record::{Heard, Record};
use super::script::{self, Measure, Slot};
use super::town::Town;
use super::witness::{Longest, Witness};

/// A little more than the host's time to answer.
const SILENCE: u32 = 2 * 3600 + 600;
/// How long work may take to come to rest, a rescue from a dead process included.
const REST: Duration = Duration::from_secs(60);
/// The jumps of the clock at the end: past every check-out, and past the payouts that the last one brings.
pub(super) const JUMPS: [i64; 4] = [20, 20, 25, 2];

/// What is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    pub(crate) seed: u64,
    pub(crate) storage: Storage,
    pub(crate) measure: Measure,
    pub(crate) chaos: Chaos,
    /// As `INNKEEPER_FAULTS` has it.
    pub(crate) faults: &'static str,
    /// How long we wait for rest before we say that there is none.
    pub(crate) rest: Duration,
    /// Ends after the crowd, without the passing of time: enough where nothing that comes later matters.
    pub(crate) brief: bool,
    /// What is spoiled in the tables once the play is judged, and what the oracle must then find.
    pub(crate) spoils: &'static [(Wrong, &'static str)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Servers,
    Embedded,
}

/// When each part of a play was over.
struct Laps {
    began: Instant,
    said: Mutex<Vec<String>>,
}

impl Laps {
    fn over(&self, what: &str) {
        let at = self.began.elapsed().as_secs_f64();
        self.said.lock().unwrap().push(format!("{what} {at:.0} s"));
    }
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) findings: Findings,
    /// In a line, for whoever reads the test's output.
    pub(crate) figures: String,
    /// What was spoiled afterwards and not found.
    pub(crate) overlooked: Vec<Wrong>,
    /// Crash points at which a death was wanted and nobody came by.
    pub(crate) never: Vec<String>,
    /// How many leases others had to free.
    pub(crate) rescued: u64,
    /// Answers of workers that stood still, which came too late and were refused.
    pub(crate) refused: usize,
    /// Commits whose answer, or question, was lost.
    pub(crate) unknown: u64,
    /// How all requests fared.
    pub(crate) fared: Fare,
    /// How those fared that met a Redis in trouble.
    pub(crate) troubled: Fare,
}

impl Play {
    /// Two APIs, two workers, Postgres and Redis; a hundred and forty bookings.
    pub(crate) const fn of_servers(seed: u64) -> Self {
        let measure = Measure { slots: 140, homes: 20, guests: 8, contested: 3, rivals: 4 };
        Self {
            seed,
            storage: Storage::Servers,
            measure,
            chaos: Chaos::SERVERS,
            faults: "",
            rest: REST,
            brief: false,
            spoils: &[],
        }
    }

    /// A process dies once at every crash point of the list. Turns are spoiled as a bad release would, and an operator has them tried
    /// again: else nobody would come by where an outcome is kept and work is parked.
    pub(crate) const fn at_every_point(seed: u64) -> Self {
        let chaos = Chaos { deaths: 1, ..Chaos::NONE };
        let measure = Measure { slots: 80, homes: 20, guests: 8, contested: 3, rivals: 3 };
        Self { chaos, measure, faults: "mishap:outcome_turn:40", ..Self::of_servers(seed) }
    }

    /// One process on SQLite.
    pub(crate) const fn embedded(seed: u64) -> Self {
        let measure = Measure { slots: 140, homes: 20, guests: 8, contested: 3, rivals: 4 };
        Self {
            seed,
            storage: Storage::Embedded,
            measure,
            chaos: Chaos::NONE,
            faults: "",
            rest: REST,
            brief: false,
            spoils: &[],
        }
    }

    /// Plays it, and fails with all that the oracle finds.
    pub(crate) fn must_be_clean(self) -> Outcome {
        let outcome = self.run();
        let Outcome { findings, figures, .. } = &outcome;
        println!("{figures}");
        assert!(findings.0.is_empty(), "{figures}\nthe oracle finds {} things wrong:\n{findings}", findings.0.len());
        outcome
    }

    /// Plays it.
    pub(crate) fn run(self) -> Outcome {
        let played = self.start().and_then(|house| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(self.play(Arc::new(house)))
        });
        played.unwrap_or_else(|error| panic!("seed {} of {self:?}: {error:#}", self.seed))
    }

    fn start(&self) -> Result<Installation> {
        match self.storage {
            Storage::Servers => Installation::of_servers(self.faults),
            Storage::Embedded => Installation::embedded(self.faults),
        }
    }

    async fn play(self, house: Arc<Installation>) -> Result<Outcome> {
        let laps = Laps { began: Instant::now(), said: Mutex::default() };
        house.start().await.context("start the installation")?;
        let witness = Witness::of(&house).await.context("open the installation from beside")?;
        let (tending, deeds) = (Arc::clone(&house), Arc::new(Deeds::default()));
        let mut tending = tokio::spawn(async move { tending.tend().await });
        let played = async {
            let client = Client::new(house.sites.clone(), "10.9.9.9")?;
            let people = (self.measure.guests, self.measure.homes);
            let town = Town::build(&client, &house.letters(), people).await.context("build the town")?;
            let stage = Stage {
                client: client.apart(),
                town,
                record: Record::default(),
                seed: self.seed,
                watched: self.watched(),
            };
            laps.over("town");
            let (never, restless) = self.drama((&house, &witness), &stage, &deeds, &laps).await?;
            Ok::<_, anyhow::Error>((stage, never, restless))
        };
        let longest = Mutex::new(Longest::default());
        let (stage, never, restless) = tokio::select! {
            played = played => played?,
            () = self.watch(&witness, &longest) => anyhow::bail!("the witness has gone"),
            tended = &mut tending => anyhow::bail!("a process cannot be started again: {tended:?}"),
        };
        tending.abort();
        let ended_well = house.stop().await.context("end every process in good order")?;
        let longest = *longest.lock().unwrap();
        let heard = stage.record.heard().clone();
        let until = match restless {
            Some(_) => Since::Ever,
            None if self.brief => Since::Rest,
            None => Since::TheEnd,
        };
        let scene = Scene { house: &house, witness: &witness, heard: &heard, until, restless, ended_well, longest };
        let findings = judge(&scene).await.context("judge")?;
        laps.over("judged");
        let overlooked = self.spoil(&scene).await.context("spoil the tables")?;
        let (_, rescued) = crashed_and_rescued(&house).await;
        let figures = self.figures(&house, &heard, &deeds, &laps).await;
        let held = longest.rescue.map_or("?".to_owned(), |rescue| format!("{:.1}", rescue.as_secs_f64()));
        let fared = stage.client.fared.all();
        let troubled = stage.client.fared.within(&deeds.troubles());
        let (Fare { asked, failed, most }, Fare { asked: met, most: at_most, .. }) = (fared, troubled);
        let (unknown, calls) = (lost_commits(&house).await, calls(&witness).await?);
        let refused = deeds.refused.load(Relaxed);
        let figures = format!(
            "{figures}; the dead held a lease for at most {held} s; {refused} late answers refused; {unknown} commits without an answer; \
             {asked} requests, {failed} failed, 99 % within {most:.2?}; {met} met a Redis in \
             trouble, 99 % of them within {at_most:.2?}; {calls:.2} calls for each deed of the gateway"
        );
        Ok(Outcome { findings, figures, overlooked, never, rescued, refused, unknown, fared, troubled })
    }

    /// Spoils one thing after the other, past every guard of the database, and says what the oracle did not find. What it found before
    /// it was spoiled says nothing.
    async fn spoil(&self, scene: &Scene<'_>) -> Result<Vec<Wrong>> {
        let mut overlooked = vec![];
        for (wrong, sql) in self.spoils {
            let before = judge(scene).await?.has(*wrong);
            let db = Database::connect(&scene.house.database).await?;
            let spoilt = db.execute_unprepared(&format!("set session_replication_role = replica; {sql}")).await;
            anyhow::ensure!(spoilt.with_context(|| (*sql).to_owned())?.rows_affected() > 0, "nothing to spoil: {sql}");
            if before || !judge(scene).await?.has(*wrong) {
                overlooked.push(*wrong);
            }
        }
        Ok(overlooked)
    }

    /// Looks for what lasts too long. A process that stands still keeps what it has, and is not to blame; nor is anybody for what
    /// stood still because the database did.
    async fn watch(&self, witness: &Witness, longest: &Mutex<Longest>) {
        match self.storage {
            Storage::Servers if !self.chaos.stands_still() => witness.watch(longest).await,
            Storage::Servers | Storage::Embedded => std::future::pending().await,
        }
    }

    /// Longer than two rescues take, and less than until the gateway sends a message for the third time: whoever waits for that is
    /// left to the passing of time. A brief play has no time for those whom nobody rescues.
    fn watched(&self) -> Duration {
        if self.brief { Duration::from_secs(25) } else { Duration::from_secs(40) }
    }

    /// The crowd and the monkey in two acts with a silence between them, then peace and the passing of time. Says at which crash points
    /// nobody died who should have, and why there was no rest, if there was none.
    async fn drama(
        &self,
        (house, witness): (&Arc<Installation>, &Witness),
        stage: &Stage,
        deeds: &Arc<Deeds>,
        laps: &Laps,
    ) -> Result<(Vec<String>, Option<String>)> {
        let mut dice = StdRng::seed_from_u64(self.seed);
        let today = witness.now().await?.date_naive();
        let slots = script::write(&mut dice, self.measure, today);
        let last = slots.iter().flat_map(|slot| &slot.rivals).map(|rival| rival.stay.check_out()).max();
        let seen = today + TimeDelta::days(JUMPS.iter().sum());
        anyhow::ensure!(
            last.is_none_or(|last| last + TimeDelta::days(3) < seen),
            "the last guests leave after the play"
        );
        let mischief = monkey(Arc::clone(house), self.chaos, dice.clone(), Arc::clone(deeds));
        let acts = self.acts(witness, (stage, laps), (&slots, &mut dice));
        let (restless, ()) = tokio::try_join!(acts, async { mischief.await.context("play the monkey") })?;
        if restless.is_some() {
            return Ok((house.reprieve()?, restless));
        }
        laps.over("mischief");
        let jumps: &[i64] = if self.brief { &[] } else { &JUMPS };
        for days in jumps {
            if let Some(restless) = self.restless(witness).await? {
                return Ok((house.reprieve()?, Some(restless)));
            }
            witness.jump(TimeDelta::days(*days)).await?;
        }
        // Some crash points are only passed now. Whoever has died is replaced before everybody is asked to end.
        let restless = self.restless(witness).await?;
        let never = house.reprieve()?;
        for seat in &house.seats {
            seat.lock().await.serves().await?;
        }
        match restless {
            Some(_) => Ok((never, restless)),
            None => Ok((never, self.restless(witness).await?)),
        }
    }

    /// Two acts with a silence between them; says why when work never came to rest.
    async fn acts(
        &self,
        witness: &Witness,
        (stage, laps): (&Stage, &Laps),
        (slots, dice): (&[Slot], &mut StdRng),
    ) -> Result<Option<String>> {
        if self.brief {
            stage.play(slots).await?;
            laps.over("act");
            return Ok(None);
        }
        let (first, second) = slots.split_at(slots.len() / 2);
        stage.play(first).await?;
        laps.over("first act");
        if let Some(restless) = self.restless(witness).await? {
            return Ok(Some(restless));
        }
        self.silence(witness, stage, dice).await?;
        laps.over("silence");
        stage.play(second).await?;
        laps.over("second act");
        Ok(None)
    }

    /// Nobody answers for a while: the sandbox's clock is moved through its endpoint, step by step, in the middle of everything.
    async fn silence(&self, witness: &Witness, stage: &Stage, dice: &mut StdRng) -> Result<()> {
        let to = witness.now().await? + TimeDelta::seconds(SILENCE.into());
        let ask = Ask::post("/sandbox/clock", json!({ "to": to }));
        let answer = stage.client.patient().ask(dice, &ask).await?;
        // A process killed on arrival has said nothing; asked again, the next one says that the instant is past, and so it is.
        if witness.now().await? < to {
            answer.well().context("move the clock")?;
        }
        Ok(())
    }

    /// Waits for rest; says what there still is to do when there is none.
    async fn restless(&self, witness: &Witness) -> Result<Option<String>> {
        if witness.sees_rest(self.rest).await? {
            return Ok(None);
        }
        let depths = witness.engine.depths().await?;
        Ok(Some(format!("work does not come to rest within {:?}: {depths:?}", self.rest)))
    }

    async fn figures(&self, house: &Installation, heard: &Heard, deeds: &Deeds, laps: &Laps) -> String {
        let (crashes, rescued) = crashed_and_rescued(house).await;
        format!(
            "seed {} on {:?} with {:?}: {} bookings, {} refused, {} commands, {} photographs; {} kills, {crashes} crashes ({} of them wanted at a point), {} freezes, \
             Redis disturbed {} times, Postgres {} times, wires {} times; {rescued} leases rescued; {}",
            self.seed,
            self.storage,
            self.faults,
            heard.bookings.len(),
            heard.refused,
            heard.done.len(),
            heard.photos.len(),
            deeds.kills.load(Relaxed),
            deeds.deaths.load(Relaxed),
            deeds.freezes.load(Relaxed),
            deeds.redis.load(Relaxed),
            deeds.postgres.load(Relaxed),
            deeds.wires.load(Relaxed),
            laps.said.lock().unwrap().join(", "),
        )
    }
}

/// How many processes ended by themselves, and how many leases were freed for those who were gone.
pub(super) async fn crashed_and_rescued(house: &Installation) -> (usize, u64) {
    let (mut crashes, mut rescued) = (0, 0);
    for seat in &house.seats {
        let seat = seat.lock().await;
        crashes += seat.crashes;
        let freed = |line: &serde_json::Value| line["message"].as_str().is_some_and(|m| m.contains("freed the leases"));
        rescued += seat.said().filter(freed).filter_map(|line| line["count"].as_u64()).sum::<u64>();
    }
    (crashes, rescued)
}

async fn lost_commits(house: &Installation) -> u64 {
    let mut lost = 0;
    for seat in &house.seats {
        lost += seat.lock().await.wires.as_ref().map_or(0, |wires| wires.database.seen().commits_lost);
    }
    lost
}

/// What retries come to at the gateway.
async fn calls(witness: &Witness) -> Result<f64> {
    let (attempts, deeds) = witness.calls().await?;
    Ok(attempts as f64 / (deeds as f64).max(1.0))
}
