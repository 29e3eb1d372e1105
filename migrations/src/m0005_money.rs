//! What guests pay and hosts are paid, as people read it; the truth about money is the ledger.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0005_money", postgres: &[BOTH], sqlite: &[BOTH] };

/// A gateway's reference leads to exactly one payment: that is how its messages find their run.
const BOTH: &str = "
create table payment (
  id uuid primary key, booking_id uuid not null references booking (id),
  guest_id uuid not null references user_account (id), status text not null,
  currency text not null, amount_minor int8 not null, captured_minor int8 not null, refunded_minor int8 not null,
  provider text not null, intent text, action_url text, decline_code text, capture_before int8,
  created_at int8 not null, updated_at int8 not null,
  check (refunded_minor >= 0 and refunded_minor <= captured_minor and captured_minor <= amount_minor)
);
create index payment_guest on payment (guest_id, created_at, id);
create index payment_booking on payment (booking_id);

create table payment_reference (
  provider text not null, reference text not null, payment_id uuid not null references payment (id),
  primary key (provider, reference)
);

create table payout (
  id uuid primary key, host_id uuid not null references user_account (id),
  currency text not null, date date not null, amount_minor int8 not null,
  status text not null, reason text, transfer text, created_at int8 not null, updated_at int8 not null,
  unique (host_id, currency, date)
);
create index payout_host on payout (host_id, created_at, id);
";
