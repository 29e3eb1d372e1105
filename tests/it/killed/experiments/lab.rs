//! An installation with its people and its judge, for experiments that are no play: what happens when is their own business.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::killed::client::Client;
use crate::killed::crowd::Stage;
use crate::killed::installation::Installation;
use crate::killed::oracle::{Scene, Since, Wrong, judge};
use crate::killed::play::JUMPS;
use crate::killed::record::Record;
use crate::killed::script::{self, Measure, Slot};
use crate::killed::seat::{Role, Seat};
use crate::killed::town::Town;
use crate::killed::witness::{Longest, Witness};

/// How long work may take to come to rest, a rescue included.
const REST: Duration = Duration::from_secs(90);
/// How long somebody watches a booking.
const WATCHED: Duration = Duration::from_secs(75);

/// Enough people and homes that something is always under way, for some seconds.
pub(super) const SOME: Measure = Measure { slots: 120, homes: 20, guests: 8, contested: 3, rivals: 3 };

/// Slots that the crowd plays in a minute of everyday life: about half of what a small machine bears.
const A_MINUTE: usize = 90;
/// As many places in a calendar as the oracle lets time pass.
const PLACES: usize = 11;
/// Minutes before the sign-ins of the beginning end.
const SIGNED_IN: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);

/// So many minutes of everyday life.
pub(super) const fn everyday(minutes: usize) -> Measure {
    let slots = minutes * A_MINUTE;
    Measure { slots, homes: slots.div_ceil(PLACES), guests: 10, contested: 4, rivals: 3 }
}

/// Where an experiment is made.
pub(super) struct Lab {
    pub(super) house: Arc<Installation>,
    pub(super) witness: Witness,
    pub(super) stage: Stage,
    /// What the crowd will do.
    pub(super) slots: Vec<Slot>,
    /// Words of the alarms that the experiment itself brings about.
    pub(super) ours: Vec<&'static str>,
    tending: JoinHandle<Result<()>>,
}

/// Makes an experiment in this installation. Afterwards all the time passes that anything waits for, and the oracle judges. What the
/// experiment says of its figures is printed.
pub(super) fn experiment(house: Installation, measure: Measure, script: impl AsyncFnOnce(&mut Lab) -> Result<String>) {
    in_a_lab(house, measure, async |mut lab| {
        let figures = script(&mut lab).await?;
        lab.close().await?;
        Ok(figures)
    });
}

/// The same, and what comes of it is the experiment's own to judge: where it leaves behind what no play may.
pub(super) fn in_a_lab(house: Installation, measure: Measure, script: impl AsyncFnOnce(Lab) -> Result<String>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let made = runtime.map(|runtime| {
        runtime.block_on(async { script(Lab::open(house, measure).await.context("open the lab")?).await })
    });
    match made {
        Ok(Ok(figures)) => println!("seed {} {figures}", super::seed()),
        Ok(Err(error)) => panic!("seed {}: {error:#}", super::seed()),
        Err(error) => panic!("no runtime: {error}"),
    }
}

impl Lab {
    async fn open(house: Installation, measure: Measure) -> Result<Self> {
        let house = Arc::new(house);
        house.start().await.context("start the installation")?;
        let witness = Witness::of(&house).await.context("open the installation from beside")?;
        let client = Client::new(house.sites.clone(), "10.9.9.9")?;
        let town = Town::build(&client, &house.letters(), (measure.guests, measure.homes)).await?;
        let seed = super::seed();
        let today = witness.now().await?.date_naive();
        let slots = script::write(&mut StdRng::seed_from_u64(seed), measure, today);
        let stage = Stage { client: client.apart(), town, record: Record::default(), seed, watched: WATCHED };
        let tended = Arc::clone(&house);
        let tending = tokio::spawn(async move { tended.tend().await });
        Ok(Self { house, witness, stage, slots, ours: vec![], tending })
    }

    /// The crowd does all that it will do.
    pub(super) async fn crowd(&self) -> Result<()> {
        self.stage.play(&self.slots).await.context("play the crowd")
    }

    /// One minute of everyday life, of those that [`everyday`] has written, with something beside it.
    pub(super) async fn minute(&mut self, nth: usize, beside: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        if nth > 0 && nth.is_multiple_of(SIGNED_IN) {
            let apart = self.stage.client.apart();
            self.stage.town.sign_in_again(&apart).await.context("sign in again")?;
        }
        let end = Instant::now() + MINUTE;
        let slots = &self.slots[nth * A_MINUTE..][..A_MINUTE];
        tokio::try_join!(self.stage.play(slots), beside(self))?;
        sleep_until(end).await;
        Ok(())
    }

    /// Waits until everything that is due is done.
    pub(super) async fn rests(&self) -> Result<()> {
        let rests = self.witness.sees_rest(REST).await?;
        ensure!(rests, "work does not come to rest within {REST:?}: {:?}", self.witness.engine.depths().await?);
        Ok(())
    }

    /// The processes of this role, by their places.
    pub(super) async fn of_role(&self, role: Role) -> Vec<usize> {
        let mut places = vec![];
        for (n, seat) in self.house.seats.iter().enumerate() {
            if seat.lock().await.role == role {
                places.push(n);
            }
        }
        places
    }

    /// Does something with every seat.
    pub(super) async fn every_seat(&self, mut act: impl FnMut(usize, &mut Seat) -> Result<()>) -> Result<()> {
        for (n, seat) in self.house.seats.iter().enumerate() {
            act(n, &mut *seat.lock().await)?;
        }
        Ok(())
    }

    /// Ends every process, whatever came of it.
    pub(super) async fn stop(&self) -> Result<bool> {
        self.tending.abort();
        self.house.stop().await.context("end every process in good order")
    }

    async fn close(self) -> Result<()> {
        for days in JUMPS {
            self.rests().await?;
            self.witness.jump(TimeDelta::days(days)).await?;
        }
        self.rests().await?;
        ensure!(!self.tending.is_finished(), "a process could not be started again");
        let ended_well = self.stop().await?;
        let (heard, longest) = (self.stage.record.heard().clone(), Longest::default());
        let (house, witness) = (&self.house, &self.witness);
        let scene = Scene { house, witness, heard: &heard, until: Since::TheEnd, restless: None, ended_well, longest };
        let mut findings = judge(&scene).await.context("judge")?;
        let ours = |what: &str| self.ours.iter().any(|word| what.contains(word));
        findings.0.retain(|finding| finding.wrong != Wrong::Alarm || !ours(&finding.what));
        ensure!(findings.0.is_empty(), "the oracle finds {} things wrong:\n{findings}", findings.0.len());
        Ok(())
    }
}
