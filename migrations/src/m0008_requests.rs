//! Answers kept for repeated requests, and messages from outside that were accepted but not yet worked on.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0008_requests", postgres: &[BOTH], sqlite: &[BOTH] };

/// An answer is written by the transaction it answers for, so there is no row for a request that is still in flight.
const BOTH: &str = "
create table idempotency_key (
  caller text not null, route text not null, key text not null,
  body_hash text not null, status int4 not null, headers text not null, body text not null, created_at int8 not null,
  primary key (caller, route, key)
);
create index idempotency_key_age on idempotency_key (created_at);

create table webhook_inbox (
  provider text not null, event_id text not null, body text not null,
  received_at int8 not null, processed_at int8, attempts int4 not null,
  primary key (provider, event_id)
);
create index webhook_inbox_waiting on webhook_inbox (received_at) where processed_at is null;
";
