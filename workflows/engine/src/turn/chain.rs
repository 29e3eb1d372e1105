//! The hash chain of a run's journal: each row seals the one before it, so a changed, missing or inserted turn shows.

use super::JournalRow;
use sha2::{Digest, Sha256};

/// The head of a run without turns.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// What the journal keeps of the state that a turn led to: enough for a replay to prove every state on the way, not only the last.
pub(crate) fn digest(state: &str) -> Vec<u8> {
    Sha256::digest(state)[..16].to_vec()
}

/// The hash of a row: over the head before it and every stored field as it is stored.
///
/// Fields are length-prefixed, so no two different rows feed the same bytes. Nothing but the table is needed to verify it: not the
/// code that made the turn, not the state.
pub(crate) fn link(head: &[u8], row: &JournalRow) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(head);
    field(row.run.uuid().as_bytes());
    field(row.key.as_bytes());
    field(&row.seq.to_be_bytes());
    field(&row.at.timestamp_micros().to_be_bytes());
    field(&[row.mark as u8]);
    field(row.event.as_bytes());
    field(row.from.as_bytes());
    field(row.to.as_bytes());
    field(row.note.as_deref().unwrap_or_default().as_bytes());
    field(&row.shape.to_be_bytes());
    field(&row.attempts.to_be_bytes());
    for text in
        [&row.last_error, &row.origin.actor, &row.origin.on_behalf_of, &row.origin.request_id, &row.origin.trace]
    {
        field(text.as_deref().unwrap_or_default().as_bytes());
    }
    field(&row.state_digest);
    hash.finalize().to_vec()
}
