//! The double-entry ledger, which the database itself keeps honest.
//!
//! Legs come first and name a transaction that does not exist yet (the reference is checked at commit); the transaction's own
//! row is the seal, and it is refused unless at least two legs add up to nothing in every currency. Once sealed, no leg can
//! join, and no row of either table is ever changed or deleted.

use crate::frozen::Frozen;

pub(crate) const CHANGE: Frozen = Frozen {
    name: "m0006_ledger",
    postgres: &[POSTGRES_TABLES, POSTGRES_RULES],
    sqlite: &[SQLITE_TABLES, SQLITE_RULES],
};

/// Accounts sort by bytes, so that all accounts of one kind are one range.
const POSTGRES_TABLES: &str = r#"
create table ledger_transaction (
  id uuid primary key, run uuid not null, seq int4 not null, n int4 not null, kind text not null, at int8 not null,
  unique (run, seq, n)
);
create index ledger_transaction_at on ledger_transaction (at);

create table ledger_leg (
  transaction_id uuid not null references ledger_transaction (id) deferrable initially deferred,
  line int4 not null, account text collate "C" not null, currency text not null, amount_minor int8 not null,
  primary key (transaction_id, line)
);
create index ledger_leg_account on ledger_leg (account, currency);
"#;

/// The lock makes a leg wait for a seal of the same transaction that another connection has not committed, and see it.
const POSTGRES_RULES: &str = "
create function ledger_seal() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.id::text, 0));
  if (select count(*) from ledger_leg where transaction_id = new.id) < 2 then
    raise exception 'ledger: transaction % has fewer than two legs', new.id using errcode = 'check_violation';
  end if;
  if exists (select 1 from ledger_leg where transaction_id = new.id group by currency having sum(amount_minor) <> 0) then
    raise exception 'ledger: transaction % does not balance', new.id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger ledger_seal before insert on ledger_transaction for each row execute function ledger_seal();

create function ledger_leg_joins() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.transaction_id::text, 0));
  if exists (select 1 from ledger_transaction where id = new.transaction_id) then
    raise exception 'ledger: transaction % is sealed', new.transaction_id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger ledger_leg_joins before insert on ledger_leg for each row execute function ledger_leg_joins();

create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'ledger: % is append-only', tg_table_name using errcode = 'check_violation';
end $$;
create trigger ledger_transaction_stays before update or delete on ledger_transaction
  for each row execute function ledger_is_append_only();
create trigger ledger_leg_stays before update or delete on ledger_leg
  for each row execute function ledger_is_append_only();
create trigger ledger_transaction_kept before truncate on ledger_transaction
  for each statement execute function ledger_is_append_only();
create trigger ledger_leg_kept before truncate on ledger_leg
  for each statement execute function ledger_is_append_only();
";

const SQLITE_TABLES: &str = "
create table ledger_transaction (
  id uuid primary key, run uuid not null, seq int4 not null, n int4 not null, kind text not null, at int8 not null,
  unique (run, seq, n)
);
create index ledger_transaction_at on ledger_transaction (at);

create table ledger_leg (
  transaction_id uuid not null references ledger_transaction (id) deferrable initially deferred,
  line int4 not null, account text not null, currency text not null, amount_minor int8 not null,
  primary key (transaction_id, line)
);
create index ledger_leg_account on ledger_leg (account, currency);
";

const SQLITE_RULES: &str = "
create trigger ledger_seal before insert on ledger_transaction begin
  select raise(abort, 'ledger: the transaction has fewer than two legs')
    where (select count(*) from ledger_leg where transaction_id = new.id) < 2;
  select raise(abort, 'ledger: the transaction does not balance')
    where exists (select 1 from ledger_leg where transaction_id = new.id group by currency having sum(amount_minor) <> 0);
end;

create trigger ledger_leg_joins before insert on ledger_leg begin
  select raise(abort, 'ledger: the transaction is sealed')
    where exists (select 1 from ledger_transaction where id = new.transaction_id);
end;

create trigger ledger_transaction_stays before update on ledger_transaction begin
  select raise(abort, 'ledger: ledger_transaction is append-only');
end;
create trigger ledger_transaction_kept before delete on ledger_transaction begin
  select raise(abort, 'ledger: ledger_transaction is append-only');
end;
create trigger ledger_leg_stays before update on ledger_leg begin
  select raise(abort, 'ledger: ledger_leg is append-only');
end;
create trigger ledger_leg_kept before delete on ledger_leg begin
  select raise(abort, 'ledger: ledger_leg is append-only');
end;
";
