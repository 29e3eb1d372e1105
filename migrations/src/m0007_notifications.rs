//! What people were told.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0007_notifications", postgres: &[BOTH], sqlite: &[BOTH] };

const BOTH: &str = "
create table notification (
  id uuid primary key, user_id uuid not null references user_account (id), letter text not null,
  booking_id uuid, status text not null, created_at int8 not null, read_at int8
);
create index notification_user on notification (user_id, created_at, id);
";
