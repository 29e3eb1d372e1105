//! One operation on trial: every spoilt request is refused as documented and writes nothing, and the valid one is answered.

use std::collections::BTreeMap;

use harness::{Dump, Dumper};

use super::cases::{Case, Valid};
use super::cast::Cast;
use super::document::{Document, Operation};
use super::door::{Answer, Ask};
use super::examples::{example, forms};

/// What was found, and how much was looked at.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) wrong: Vec<String>,
    pub(super) cases: usize,
}

pub(super) struct Trial<'a> {
    pub(super) document: &'a Document,
    pub(super) cast: &'a Cast,
    pub(super) dumper: Dumper,
    pub(super) catalogue: BTreeMap<String, u16>,
    pub(super) findings: Findings,
}

impl Trial<'_> {
    /// Tries one operation in all its forms, and returns what is left for the end.
    pub(super) async fn try_operation(&mut self, operation: &Operation<'_>) -> Vec<Case> {
        let mut odd = Vec::new();
        for form in forms(&operation.name) {
            let example = example(self.cast, form).await;
            let valid = Valid::new(self.document, operation, (form, &example));
            self.cast.house.settle().await;
            let mut before = self.dump().await;
            for case in valid.cases(self.cast) {
                self.try_case(operation, &case, &mut before).await;
            }
            self.try_other_method(operation, &valid.ask()).await;
            let proof = self.cast.door.send(&valid.ask()).await;
            // The front door leads elsewhere, and so it should.
            if !(200..304).contains(&proof.status) {
                let ask = String::from_utf8_lossy(&valid.ask().body).into_owned();
                self.blame(form, "the valid request", format!("{} {} for {ask}", proof.status, proof.text()));
            } else if !operation.statuses.contains(&proof.status) {
                self.blame(form, "the valid request", format!("status {} is not documented", proof.status));
            }
            odd.extend(valid.oddities());
        }
        odd
    }

    /// Tries what is odd without being wrong. Some of it is taken, so nothing valid can be tried after this.
    pub(super) async fn try_oddities(&mut self, operation: &Operation<'_>, oddities: &[Case]) {
        let mut before = self.dump().await;
        for case in oddities {
            self.try_case(operation, case, &mut before).await;
        }
    }

    async fn dump(&self) -> Dump {
        self.dumper.take().await.unwrap()
    }

    fn blame(&mut self, operation: &str, label: &str, what: String) {
        self.findings.wrong.push(format!("{operation}, {label}: {what}"));
    }

    async fn try_case(&mut self, operation: &Operation<'_>, case: &Case, before: &mut Dump) {
        self.findings.cases += 1;
        let answer = self.cast.door.send(&case.ask).await;
        let is_answered = case.may_answer && answer.status < 300;
        if !is_answered {
            for what in self.flaws(&answer, &case.ask) {
                self.blame(&operation.name, &case.label, what);
            }
            if answer.status >= 400 && !operation.statuses.contains(&answer.status) {
                self.blame(&operation.name, &case.label, format!("status {} is not documented", answer.status));
            }
        }
        let after = self.dump().await;
        if after != *before {
            if !is_answered || operation.method == "GET" {
                self.blame(&operation.name, &case.label, format!("wrote {:#?}", before.changes(&after)));
            }
            *before = after;
        }
    }

    async fn try_other_method(&mut self, operation: &Operation<'_>, ask: &Ask) {
        self.findings.cases += 1;
        let ask = Ask { method: "PROPFIND".to_owned(), ..ask.clone() };
        let answer = self.cast.door.send(&ask).await;
        let mut flaws = self.flaws(&answer, &ask);
        if (answer.status, answer.header("allow").contains(&operation.method)) != (405, true) {
            flaws.push(format!("{} with Allow: {:?}", answer.status, answer.header("allow")));
        }
        for what in flaws {
            self.blame(&operation.name, "another method", what);
        }
    }

    /// What is wrong with a refusal.
    fn flaws(&self, answer: &Answer, ask: &Ask) -> Vec<String> {
        let Answer { status, bytes, .. } = answer;
        if !(400..500).contains(status) {
            return vec![format!("answered {status} {:.200}", answer.text())];
        }
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let code = text("code");
        let path = ask.path.split('?').next().unwrap_or_default();
        let checks = [
            (answer.header("content-type") == "application/problem+json", "not a problem by its type"),
            (body["status"] == *status, "another status in the body"),
            (self.catalogue.get(code) == Some(status), "its code is not in the catalogue with this status"),
            (text("type") == format!("urn:innkeeper:problem:{code}"), "another type than its code"),
            (!text("title").is_empty() && body["errors"].is_array(), "an incomplete problem"),
            (!text("request_id").is_empty() && text("request_id") == answer.header("x-request-id"), "no request id"),
            (text("instance") == path, "another instance"),
            (bytes.len() < 12_000, "it repeats what was sent"),
        ];
        checks
            .iter()
            .filter(|(fine, _)| !fine)
            .map(|(_, what)| format!("{what}: {status} {:.300}", answer.text()))
            .collect()
    }
}
