//! People, their logins, and the keys that sign what they carry.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen { name: "m0002_accounts", postgres: &[BOTH], sqlite: &[BOTH] };

/// `email` is stored folded, so its key is the person's spelling-independent address.
const BOTH: &str = "
create table user_account (
  id uuid primary key, email text not null unique, email_verified_at int8,
  password_hash text not null, name text not null, phone text, locale text not null, currency text not null,
  role text, status text not null, created_at int8 not null, updated_at int8 not null
);

create table email_verification (
  id uuid primary key, user_id uuid not null references user_account (id),
  token_hash text not null unique, expires_at int8 not null, used_at int8
);
create index email_verification_user on email_verification (user_id);

create table session (
  id uuid primary key, user_id uuid not null references user_account (id),
  refresh_hash text not null unique, previous_hash text unique,
  created_at int8 not null, last_used_at int8 not null, expires_at int8 not null, idle_expires_at int8 not null,
  revoked_at int8, revoked_why text, user_agent text
);
create index session_of_user on session (user_id, created_at, id);

create table signing_key (
  kid text primary key, sealed_private bytea not null, public_jwk text not null,
  created_at int8 not null, retires_at int8
);
";
