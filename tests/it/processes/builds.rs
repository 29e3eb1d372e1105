//! Deploy N, N + 1, N again with the product's own processes: runs stand at every state that their explorations know, both builds are at
//! work at once, and each run goes the way that was recorded for it to its end, whichever build writes it.
//!
//! The next build is a real one in all but its decisions: it keeps everything in a shape that today's cannot read ([`Alone`]). The ways
//! are the journals of `workflows/golden`; what a run there hears from others and from outside, it hears from this test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::{Provider, Timestamp};
use engine::testkit::{Alone, Cues, Recorded, Why, recorded, variants_of};
use engine::{Engine, EventKey, Input, Manner, Registry, RunId, Settings, TurnError, Verdict, What, WorkId, Workflow};
use futures::future::join_all;
use harness::{TestDatabase, on_both};
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use workflows::booking::Booking;
use workflows::mail::Mail;
use workflows::payment::Payment;
use workflows::payout::Payout;
use workflows::photo::Photo;

on_both!(every_state_outlives_a_deploy_forth_and_back);

const QUEUES: [(&str, usize); 5] = [("default", 64), ("engine", 64), ("payments", 64), ("mail", 64), ("photos", 64)];

/// How much later than recorded everything happens with every instant, besides the time that the instant before took: whatever was set
/// while that went by is due by then all the same.
const LATER: Duration = Duration::from_secs(1);

/// The product's processes in one of the two builds.
fn registry<const AHEAD: i16>(cues: &Cues) -> Registry {
    Registry::new()
        .register::<Alone<Booking, AHEAD>>(cues.clone())
        .register::<Alone<Payment, AHEAD>>(cues.clone())
        .register::<Alone<Payout, AHEAD>>(cues.clone())
        .register::<Alone<Mail, AHEAD>>(cues.clone())
        .register::<Alone<Photo, AHEAD>>(cues.clone())
}

/// Every state that a workflow has.
fn states<W: Workflow>() -> Vec<String> {
    variants_of::<W::State>().iter().map(|state| format!("{}.{state}", W::NAME)).collect()
}

/// One run: its way, and where on it the next build comes.
struct Life {
    run: RunId,
    workflow: String,
    /// From its beginning through the stop to its end.
    way: Vec<Recorded>,
    /// How many turns it has taken when it is stopped.
    stop: usize,
    /// The next build takes it over there; otherwise today's goes on with it.
    taken_over: bool,
    /// How many turns it has taken.
    place: usize,
}

impl Life {
    fn next(&self, until: Timestamp) -> Option<&Recorded> {
        self.way.get(self.place).filter(|turn| turn.at <= until)
    }

    fn is_the_next_builds(&self) -> bool {
        self.taken_over && self.place >= self.stop
    }

    fn says(&self, turn: &Recorded) -> Input {
        let text = |raw: &RawValue| raw.get().to_owned();
        let what = match turn.why {
            Why::Start => What::Start {
                workflow: self.workflow.clone(),
                key: self.run.to_string(),
                input: turn.input.as_deref().map(text).expect("a beginning has its input"),
                parent: None,
            },
            Why::Timer => What::Due,
            Why::Command | Why::Fact | Why::Told | Why::Outcome => What::Event {
                key: EventKey::operator(&format!("turn {}", self.place)),
                event: text(&turn.event),
                manner: if turn.why == Why::Command { Manner::Command } else { Manner::Fact },
            },
        };
        Input::new(self.run, what)
    }
}

/// A life for each recorded turn, stopped after it and taken over there by the next build; every fourth also goes on without.
fn lives() -> Vec<Life> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/golden");
    let (mut lives, mut seen) = (vec![], BTreeSet::new());
    for workflow in workflows::onlookers(Provider::Sandbox).names() {
        for file in files(&golden.join(workflow).join("journal")) {
            let lines = recorded(&file);
            for line in 0..lines.len() {
                let (way, stop) = way(&lines, line);
                let turns =
                    way.iter().map(|turn| (turn.at, turn.event.get(), turn.input.as_deref().map(RawValue::get)));
                if !seen.insert(format!("{stop} {:?}", turns.collect::<Vec<_>>())) {
                    continue; // Another exploration has met it too.
                }
                let builds = if line % 4 == 0 { &[true, false][..] } else { &[true] };
                for taken_over in builds {
                    let number = 0x0192_0000_0000_7000_8000_0000_0000_0000 + lives.len() as u128;
                    let run = RunId::from_uuid(uuid::Uuid::from_u128(number));
                    let (workflow, way, taken_over) = (workflow.to_owned(), way.clone(), *taken_over);
                    lives.push(Life { run, workflow, way, stop, taken_over, place: 0 });
                }
            }
        }
    }
    lives
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// The turns up to this one and on to an end, and how many of them come up to it.
fn way(lines: &[Recorded], stop: usize) -> (Vec<Recorded>, usize) {
    let mut way = vec![];
    let mut here = Some(stop);
    while let Some(line) = here {
        way.insert(0, lines[line].clone());
        here = lines[line].after;
    }
    let depth = way.len();
    let mut end = stop;
    while let Some(next) = lines.iter().find(|line| line.after == Some(end)) {
        way.push(next.clone());
        end = next.line;
    }
    (way, depth)
}

/// A build that is deployed: a process that only takes in, and one that works.
struct Build {
    door: Engine,
    hands: Engine,
    cues: Cues,
}

impl Build {
    async fn open<const AHEAD: i16>(db: &TestDatabase) -> Self {
        let cues = Cues::default();
        let open = async |rooms: &[(&'static str, usize)]| {
            let process = uuid::Uuid::from_u128(rand::random());
            let settings = Settings::new("test", process, "test").rooms(rooms);
            let engine = Engine::open(settings, db.databases().await.unwrap(), registry::<AHEAD>(&cues));
            engine.beat().await.unwrap();
            engine
        };
        Self { door: open(&[]).await, hands: open(&QUEUES).await, cues: cues.clone() }
    }

    /// Claims all that is due, does what has an answer and lets the rest go. Says whose work it was.
    async fn work(&self) -> BTreeSet<RunId> {
        let mut whose = BTreeSet::new();
        loop {
            let claimed = self.hands.claim().await.unwrap();
            let many = self.hands.hands().holding();
            for _ in 0..many {
                let lease = self.hands.hands().next().await.expect("the hands are open");
                whose.insert(lease.work().run);
                if self.cues.has(lease.work()) {
                    self.hands.execute(lease).await;
                }
            }
            if claimed + many == 0 {
                break;
            }
        }
        self.hands.let_go().await.unwrap();
        whose
    }
}

/// A run as its row has it.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    seq: i32,
    shape: i32,
    state_name: String,
    state: String,
}

struct Town {
    db: TestDatabase,
    today: Build,
    next: Build,
    lives: Vec<Life>,
    /// Where runs stood when the next build came.
    stood: BTreeSet<String>,
}

impl Town {
    async fn open(db: TestDatabase) -> Self {
        db.proven_by(|| registry::<1>(&Cues::default()));
        let (today, next) = (Build::open::<0>(&db).await, Build::open::<1>(&db).await);
        Self { db, today, next, lives: lives(), stood: BTreeSet::new() }
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Vec<QueryResult> {
        let db = &self.db.connection;
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        db.query_all_raw(statement).await.unwrap()
    }

    async fn every_row(&self) -> BTreeMap<RunId, Row> {
        let sql = "select id, seq, cast(shape as integer), state_name, state from workflow_run";
        let read = |row: &QueryResult| {
            let row_of = Row {
                seq: row.try_get_by_index(1).unwrap(),
                shape: row.try_get_by_index(2).unwrap(),
                state_name: row.try_get_by_index(3).unwrap(),
                state: row.try_get_by_index(4).unwrap(),
            };
            (RunId::from_uuid(row.try_get_by_index(0).unwrap()), row_of)
        };
        self.rows(sql, vec![]).await.iter().map(read).collect()
    }

    async fn newer(&self) -> BTreeMap<RunId, Row> {
        let today = i32::from(Alone::<Booking, 0>::READS);
        self.every_row().await.into_iter().filter(|(_, row)| row.shape > today).collect()
    }

    /// The work that this effect of a run is.
    async fn work_of(&self, run: RunId, effect: &str) -> WorkId {
        let sql = "select seq, n, payload from workflow_work where run = $1 and kind = 0 order by seq, n";
        let all = self.rows(sql, vec![run.uuid().into()]).await;
        // The next build keeps what was within what it writes.
        let it = all.iter().find(|row| row.try_get_by_index::<String>(2).unwrap().contains(effect));
        let it = it.unwrap_or_else(|| panic!("{run} does not wait for {effect}"));
        WorkId { run, seq: it.try_get_by_index(0).unwrap(), n: it.try_get_by_index(1).unwrap() }
    }

    /// One more turn of each of these, by today's build or by the next one.
    async fn turns(&mut self, which: &[usize], ahead: bool, until: Timestamp) {
        let build = if ahead { &self.next } else { &self.today };
        let mut said = vec![];
        for life in which.iter().map(|which| &self.lives[*which]) {
            let turn = life.next(until).expect("only those that go on");
            if let Some(conflict) = &turn.taken {
                Cues::taken(life.run, conflict.clone());
            }
            match &turn.answers {
                Some(effect) => build.cues.answer(self.work_of(life.run, effect.get()).await, turn.event.get()),
                None => said.push(build.door.submit(life.says(turn))),
            }
        }
        for verdict in join_all(said).await {
            let verdict = verdict.unwrap();
            assert!(matches!(verdict, Verdict::Moved(_)), "{verdict:?}");
        }
        build.work().await;
        self.look(which).await;
    }

    /// Each of these has gone on, to where it was recorded to go.
    async fn look(&mut self, which: &[usize]) {
        let rows = self.every_row().await;
        for which in which {
            let life = &mut self.lives[*which];
            let row = &rows[&life.run];
            let place = usize::try_from(row.seq).unwrap() + 1;
            assert!(place > life.place, "{} {} stands still: {:?}", life.workflow, life.run, life.way[life.place]);
            life.place = place;
            let turn = life.way.get(place - 1).unwrap_or_else(|| panic!("{} goes on after its end: {row:?}", life.run));
            assert_eq!(
                (life.workflow.as_str(), row.state_name.as_str()),
                (life.workflow.as_str(), name(turn.to.get())),
                "{:#?}",
                life.way.iter().map(|turn| (turn.line, turn.why, turn.event.get())).collect::<Vec<_>>()
            );
        }
    }

    /// All of those, again and again, until they have nothing to hear before that instant.
    async fn on(&mut self, ahead: bool, until: Timestamp, who: impl Fn(&Life) -> bool) {
        loop {
            let on = |(_, life): &(usize, &Life)| who(life) && life.next(until).is_some();
            let which: Vec<usize> = self.lives.iter().enumerate().filter(on).map(|(which, _)| which).collect();
            if which.is_empty() {
                return;
            }
            self.turns(&which, ahead, until).await;
        }
    }

    /// Both builds are at work: today's claims all that it may, and none of it is the next one's; nor may anybody tell them anything
    /// through it.
    async fn together(&self) {
        let newer = self.newer().await;
        let (ours, theirs) = tokio::join!(self.today.work(), self.next.work());
        let touched: Vec<&RunId> = ours.iter().filter(|run| newer.contains_key(run)).collect();
        assert!(touched.is_empty(), "today's build has claimed work of the next one's runs: {touched:?}");
        drop(theirs);
        for life in self.lives.iter().filter(|life| newer.contains_key(&life.run)) {
            let turn = &life.way[life.way.len() - 1];
            let told = self.today.door.submit(life.says(turn)).await;
            assert!(matches!(told, Ok(Verdict::NewerShape) | Err(TurnError::NewerShape)), "{told:?}");
        }
        assert_eq!(self.newer().await, newer, "today's build has touched the next one's runs");
    }

    /// The next build comes, moves its runs one step, and today's comes back beside it.
    async fn deploy(&mut self, until: Timestamp) {
        let stops =
            |(_, life): &(usize, &Life)| life.taken_over && life.place == life.stop && life.next(until).is_some();
        let which: Vec<usize> = self.lives.iter().enumerate().filter(stops).map(|(which, _)| which).collect();
        let stand = |which: &usize| {
            let life = &self.lives[*which];
            format!("{}.{}", life.workflow, name(life.way[life.stop - 1].to.get()))
        };
        self.stood.extend(which.iter().map(stand));
        self.turns(&which, true, until).await;
        self.together().await;
    }

    /// The business clock stands at this instant.
    async fn at(&self, instant: Timestamp) {
        let ahead = (instant - self.today.door.real_now().await.unwrap()).num_microseconds().unwrap();
        self.db.connection.execute_unprepared(&format!("update business_clock set offset_us = {ahead}")).await.unwrap();
    }

    /// Nothing is left to do, nothing went wrong, and each run is where its way led, in the shape of the build that wrote it.
    async fn all_is_over(&self) {
        let rows = self.every_row().await;
        let (ours, theirs) = (i32::from(Alone::<Booking, 0>::SHAPE), i32::from(Alone::<Booking, 1>::SHAPE));
        for life in &self.lives {
            let (row, end) = (&rows[&life.run], &life.way[life.way.len() - 1]);
            let next_wrote = life.taken_over && life.stop < life.way.len();
            assert_eq!((life.place, row.shape), (life.way.len(), if next_wrote { theirs } else { ours }));
            assert_eq!(without_instants(within(&row.state)), without_instants(json(end.to.get())), "{}", life.run);
        }
        let count = async |sql: &str| self.rows(sql, vec![]).await[0].try_get_by_index::<i64>(0).unwrap();
        assert_eq!(count("select count(*) from workflow_run where status <> 1").await, 0);
        assert_eq!(count("select count(*) from workflow_work").await, 0);
        assert_eq!(count("select cast(sum(unexpected) as bigint) from workflow_run").await, 0);
        let turns: usize = self.lives.iter().map(|life| life.way.len()).sum();
        assert_eq!(
            count("select count(*) from workflow_journal").await,
            turns as i64,
            "no turn was lost or taken twice"
        );
        for life in self.lives.iter().step_by(17) {
            let build = if rows[&life.run].shape == theirs { &self.next } else { &self.today };
            let replay = build.door.replay(life.run).await.unwrap().unwrap();
            assert_eq!(replay.broken, Vec::<String>::new(), "{}", life.run);
            assert!(rows[&life.run].shape == theirs || replay.proven == life.way.len(), "{replay:?}");
        }
    }
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// A variant's name.
fn name(state: &str) -> &str {
    let quoted = state.trim_start_matches('{').trim_start_matches('"');
    quoted.split('"').next().unwrap()
}

/// What the next build has wrapped up.
fn within(state: &str) -> Json {
    let state = json(state);
    state.get(name(&state.to_string())).and_then(|ahead| ahead.get("was")).cloned().unwrap_or(state)
}

/// Everything happens a little later here than it was recorded.
fn without_instants(value: Json) -> Json {
    match value {
        Json::String(text) if text.parse::<Timestamp>().is_ok() => Json::String("an instant".to_owned()),
        Json::Array(all) => all.into_iter().map(without_instants).collect(),
        Json::Object(all) => all.into_iter().map(|(name, value)| (name, without_instants(value))).collect(),
        other => other,
    }
}

async fn every_state_outlives_a_deploy_forth_and_back(db: TestDatabase) {
    let mut town = Town::open(db).await;
    let instants: BTreeSet<Timestamp> = town.lives.iter().flat_map(|life| &life.way).map(|turn| turn.at).collect();
    let mut later = Duration::ZERO;
    for instant in instants {
        let began = Instant::now();
        town.at(instant + later).await;
        town.on(false, instant, |life| life.place < life.stop).await;
        town.deploy(instant).await;
        town.on(false, instant, |life| !life.is_the_next_builds()).await;
        town.together().await;
        town.on(true, instant, Life::is_the_next_builds).await;
        later += began.elapsed() + LATER;
    }
    town.all_is_over().await;

    let known: BTreeSet<String> = workflows::onlookers(Provider::Sandbox).names().map(str::to_owned).collect();
    let played: BTreeSet<String> = registry::<0>(&Cues::default()).names().map(str::to_owned).collect();
    assert_eq!(played, known, "a process of the product is not deployed here");
    let all =
        [states::<Booking>(), states::<Payment>(), states::<Payout>(), states::<Mail>(), states::<Photo>()].concat();
    let ends =
        town.lives.iter().map(|life| format!("{}.{}", life.workflow, name(life.way[life.way.len() - 1].to.get())));
    let never: Vec<String> = all.into_iter().filter(|state| !town.stood.contains(state)).collect();
    println!("{} lives; never taken over at {never:?}", town.lives.len());
    let ends: BTreeSet<String> = ends.collect();
    assert!(
        never.iter().all(|state| ends.contains(state)),
        "no run was stopped at {never:?}, although it goes on from there"
    );
}
