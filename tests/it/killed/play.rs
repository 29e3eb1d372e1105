//! A play from beginning to end: build the town, let crowd and monkey loose, heal, let time pass, judge.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::client::{Ask, Client};
use super::crowd::Stage;
use super::installation::Installation;
pub(super) use super::monkey::Chaos;
use super::monkey::{Deeds, monkey};
use super::oracle::{Findings, Wrong, judge};
use super::record::Record;
use super::script::{self, Measure, Slot};
use super::town::Town;
use super::witness::{Longest, Witness};

/// A little more than the host's time to answer.
const SILENCE: u32 = 2 * 3600 + 600;
/// How long work may take to come to rest, a rescue from a dead process included.
const REST: Duration = Duration::from_secs(60);
/// The longest that a transaction may stay open while nobody works in it.
const OPEN: Duration = Duration::from_secs(5);
/// The jumps of the clock at the end: past every check-out, and past the payouts that the last one brings.
const JUMPS: [i64; 4] = [20, 20, 25, 2];

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
    /// How often each crash point was passed, and how often a process ended by itself.
    pub(crate) passages: BTreeMap<String, u64>,
    pub(crate) crashes: usize,
    /// How many leases others had to free.
    pub(crate) rescued: u64,
    /// The age of the oldest heartbeat that still held a lease: how long the dead kept work from the living.
    pub(crate) rescue: Duration,
}

impl Play {
    /// Two APIs, two workers, Postgres and Redis; two hundred bookings.
    pub(crate) const fn of_servers(seed: u64) -> Self {
        let measure = Measure { slots: 200, homes: 20, guests: 8, contested: 3, rivals: 4 };
        Self { seed, storage: Storage::Servers, measure, chaos: Chaos::SERVERS, faults: "", rest: REST, brief: false }
    }

    /// One process on SQLite.
    pub(crate) const fn embedded(seed: u64) -> Self {
        let measure = Measure { slots: 200, homes: 20, guests: 8, contested: 3, rivals: 4 };
        Self { seed, storage: Storage::Embedded, measure, chaos: Chaos::NONE, faults: "", rest: REST, brief: false }
    }

    /// Plays it, and fails with all that the oracle finds; hands back how often each crash point was passed.
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
            let stage = Stage { client, town, record: Record::default(), seed: self.seed, watched: self.watched() };
            laps.over("town");
            let findings = self.drama((&house, &witness), &stage, &deeds, &laps).await?;
            Ok::<_, anyhow::Error>((stage, findings))
        };
        let longest = Mutex::new(Longest::default());
        let watched = async {
            // A process that stands still keeps open what it has opened, and is not to blame.
            match self.storage {
                Storage::Servers if !self.chaos.stands_still() => witness.watch(&longest).await,
                Storage::Servers | Storage::Embedded => std::future::pending().await,
            }
        };
        let (stage, mut findings) = tokio::select! {
            played = played => played?,
            () = watched => anyhow::bail!("the witness has gone"),
            tended = &mut tending => anyhow::bail!("a process cannot be started again: {tended:?}"),
        };
        tending.abort();
        let well = house.stop().await.context("end every process in good order")?;
        findings.expect(well, Wrong::Alarm, || "a process that was asked to stop ended with an error".to_owned());
        let Longest { open, rescue } = *longest.lock().unwrap();
        findings
            .expect(open < OPEN, Wrong::Open, || format!("a transaction stood open for {open:?} with nobody in it"));
        // Work that never comes to rest has no end state to judge.
        if !findings.has(Wrong::Restless) {
            self.judge(&house, &witness, &stage, &mut findings).await.context("judge")?;
        }
        laps.over("judged");
        let figures = self.figures(&house, &stage, &deeds, &laps).await;
        let (crashes, rescued) = crashed_and_rescued(&house).await;
        let figures = format!("{figures}; a lease was held by the dead for at most {:.1} s", rescue.as_secs_f64());
        Ok(Outcome { findings, figures, passages: house.passages(), crashes, rescued, rescue })
    }

    /// Longer than a rescue takes; a brief play has no time for those whom nobody rescues.
    fn watched(&self) -> Duration {
        if self.brief { Duration::from_secs(25) } else { Duration::from_secs(75) }
    }

    async fn judge(
        &self,
        house: &Installation,
        witness: &Witness,
        stage: &Stage,
        findings: &mut Findings,
    ) -> Result<()> {
        let mut found = Findings::default();
        let heard = stage.record.heard().clone();
        judge(house, witness, &heard, &mut found).await?;
        if self.brief {
            // Stays to come, money in escrow and timers are as they should be when no time has passed.
            let ends = [Wrong::Promise, Wrong::Ending, Wrong::Money, Wrong::Ledger, Wrong::Restless];
            found.0.retain(|finding| !ends.contains(&finding.wrong));
        }
        findings.0.append(&mut found.0);
        Ok(())
    }

    /// The crowd and the monkey in two acts with a silence between them, then peace and the passing of time.
    async fn drama(
        &self,
        (house, witness): (&Arc<Installation>, &Witness),
        stage: &Stage,
        deeds: &Arc<Deeds>,
        laps: &Laps,
    ) -> Result<Findings> {
        let mut findings = Findings::default();
        let mut dice = StdRng::seed_from_u64(self.seed);
        let today = witness.now().await?.date_naive();
        let slots = script::write(&mut dice, self.measure, today);
        let mischief = monkey(Arc::clone(house), self.chaos, dice.clone(), Arc::clone(deeds));
        let acts = self.acts(witness, (stage, laps), (&slots, &mut dice), &mut findings);
        let (rested, ()) = tokio::try_join!(acts, async { mischief.await.context("play the monkey") })?;
        if !rested {
            return Ok(findings);
        }
        laps.over("mischief");
        for seat in &house.seats {
            seat.lock().await.serves().await?;
        }
        let jumps: &[i64] = if self.brief { &[] } else { &JUMPS };
        for days in jumps {
            if !self.rests(witness, &mut findings).await? {
                return Ok(findings);
            }
            witness.jump(TimeDelta::days(*days)).await?;
        }
        self.rests(witness, &mut findings).await?;
        Ok(findings)
    }

    /// Two acts with a silence between them; false when work never came to rest.
    async fn acts(
        &self,
        witness: &Witness,
        (stage, laps): (&Stage, &Laps),
        (slots, dice): (&[Slot], &mut StdRng),
        findings: &mut Findings,
    ) -> Result<bool> {
        if self.brief {
            stage.play(slots).await?;
            laps.over("act");
            return Ok(true);
        }
        let (first, second) = slots.split_at(slots.len() / 2);
        stage.play(first).await?;
        laps.over("first act");
        if !self.silence(witness, stage, dice, findings).await? {
            return Ok(false);
        }
        laps.over("silence");
        stage.play(second).await?;
        laps.over("second act");
        Ok(true)
    }

    /// Nobody answers for a while: the sandbox's clock is moved through its endpoint, step by step, in the middle of everything.
    async fn silence(
        &self,
        witness: &Witness,
        stage: &Stage,
        dice: &mut StdRng,
        findings: &mut Findings,
    ) -> Result<bool> {
        if !self.rests(witness, findings).await? {
            return Ok(false);
        }
        let to = witness.now().await? + TimeDelta::seconds(SILENCE.into());
        let ask = Ask::post("/sandbox/clock", json!({ "to": to }));
        let answer = stage.client.patient().ask(dice, &ask).await?;
        // A process killed on arrival has said nothing; asked again, the next one says that the instant is past, and so it is.
        if witness.now().await? < to {
            answer.well().context("move the clock")?;
        }
        Ok(true)
    }

    async fn rests(&self, witness: &Witness, findings: &mut Findings) -> Result<bool> {
        let rests = witness.sees_rest(self.rest).await?;
        if !rests {
            let depths = witness.engine.depths().await?;
            findings.add(Wrong::Restless, format!("work does not come to rest within {:?}: {depths:?}", self.rest));
        }
        Ok(rests)
    }

    async fn figures(&self, house: &Installation, stage: &Stage, deeds: &Deeds, laps: &Laps) -> String {
        let (crashes, rescued) = crashed_and_rescued(house).await;
        let heard = stage.record.heard();
        format!(
            "seed {} on {:?} with {:?}: {} bookings, {} refused, {} commands, {} photographs; {} kills, {crashes} crashes, {} freezes, Redis \
             disturbed {} times, Postgres {} times, wires {} times; {rescued} leases rescued; {}",
            self.seed,
            self.storage,
            self.faults,
            heard.bookings.len(),
            heard.refused,
            heard.done.len(),
            heard.photos.len(),
            deeds.kills.load(Relaxed),
            deeds.freezes.load(Relaxed),
            deeds.redis.load(Relaxed),
            deeds.postgres.load(Relaxed),
            deeds.wires.load(Relaxed),
            laps.said.lock().unwrap().join(", "),
        )
    }
}

/// How many processes ended by themselves, and how many leases were freed for those who were gone.
async fn crashed_and_rescued(house: &Installation) -> (usize, u64) {
    let (mut crashes, mut rescued) = (0, 0);
    for seat in &house.seats {
        let seat = seat.lock().await;
        crashes += seat.crashes;
        let freed = |line: &serde_json::Value| line["message"].as_str().is_some_and(|m| m.contains("freed the leases"));
        rescued += seat.said().filter(freed).filter_map(|line| line["count"].as_u64()).sum::<u64>();
    }
    (crashes, rescued)
}
