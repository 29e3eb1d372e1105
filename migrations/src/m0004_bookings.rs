//! Promised prices and the bookings made on them.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0004_bookings", postgres: &[BOTH], sqlite: &[BOTH] };

/// `prep_nights` is the property's rule at the time of booking: a later change of the rule leaves it alone.
const BOTH: &str = "
create table quote (
  id uuid primary key, guest_id uuid not null references user_account (id),
  property_id uuid not null references property (id), check_in date not null, check_out date not null,
  guests text not null, currency text not null, total_minor int8 not null, body text not null, hash text not null,
  expires_at int8 not null, created_at int8 not null,
  check (check_in < check_out)
);
create index quote_guest on quote (guest_id, created_at, id);

create table booking (
  id uuid primary key, property_id uuid not null references property (id),
  guest_id uuid not null references user_account (id), host_id uuid not null references user_account (id),
  check_in date not null, check_out date not null, guests text not null, prep_nights int4 not null,
  status text not null, phase text not null, reason text,
  currency text not null, total_minor int8 not null, refunded_minor int8 not null,
  payment_id uuid, quote_id uuid not null references quote (id),
  hold_expires_at int8, host_deadline int8, client_reference text, message text,
  created_at int8 not null, updated_at int8 not null, seq int4 not null,
  unique (guest_id, client_reference),
  check (check_in < check_out)
);
create index booking_guest on booking (guest_id, created_at, id);
create index booking_host on booking (host_id, created_at, id);
create index booking_property on booking (property_id, check_in);

create table booking_unit (
  booking_id uuid not null references booking (id), unit_id int8 not null references unit (id),
  primary key (booking_id, unit_id)
);
";
