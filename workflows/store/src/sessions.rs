//! Logins and the keys that sign what they carry.
//!
//! A session is renewed by a refresh token that changes at every use; only hashes are kept. The hash before the present one is
//! kept too: whoever shows it has an old token, which a thief and a client that lost an answer look like.

use domain::{SessionId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, Select,
};

use crate::entity::{session, signing_key, user_account};
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::read;
use crate::words::{Role, UserStatus};

/// A login on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which login.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Since when.
    pub created_at: Timestamp,
    /// The last renewal.
    pub last_used_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When it ends unless renewed before.
    pub idle_expires_at: Timestamp,
    /// When and why it was ended early.
    pub revoked: Option<Revoked>,
    /// What the device calls itself.
    pub user_agent: Option<String>,
}

/// The early end of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// A stable word.
    pub why: String,
}

impl Session {
    /// Whether it can be renewed and its access tokens count.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && now < self.expires_at && now < self.idle_expires_at
    }
}

/// What a refresh token's hash led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// The present token of this session.
    Current(Session),
    /// The one before: either a theft or a lost answer.
    Previous(Session),
}

/// On whose authority a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// Who.
    pub user: UserId,
    /// More than guest and host.
    pub role: Option<Role>,
    /// Whether they may do anything.
    pub status: UserStatus,
    /// Whether their address is proved.
    pub email_verified: bool,
}

/// A key that signs access tokens. Its private half is sealed by a key that is not in the database.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its name in tokens.
    pub kid: String,
    /// The sealed private half.
    pub sealed_private: Vec<u8>,
    /// The public half, as a JSON web key.
    pub public_jwk: String,
    /// Since when it signs.
    pub created_at: Timestamp,
    /// From when on nothing it signed counts.
    pub retires_at: Option<Timestamp>,
}

impl TryFrom<session::Model> for Session {
    type Error = Unreadable;

    fn try_from(row: session::Model) -> std::result::Result<Self, Unreadable> {
        let why = row.revoked_why.unwrap_or_default();
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            created_at: row.created_at.try_into()?,
            last_used_at: row.last_used_at.try_into()?,
            expires_at: row.expires_at.try_into()?,
            idle_expires_at: row.idle_expires_at.try_into()?,
            revoked: maybe(row.revoked_at)?.map(|at| Revoked { at, why }),
            user_agent: row.user_agent,
        })
    }
}

fn read_session(row: session::Model) -> Result<Session> {
    Session::try_from(row).map_err(|why| why.of("session"))
}

/// Begins a session with the hash of its first refresh token.
pub async fn open(
    conn: &impl ConnectionTrait,
    session: &Session,
    refresh_hash: &str,
) -> std::result::Result<(), DbErr> {
    let Session { id, user, created_at, last_used_at, expires_at, idle_expires_at, revoked, user_agent } =
        session.clone();
    let row = session::ActiveModel {
        id: Set(id.uuid()),
        user_id: Set(user.uuid()),
        refresh_hash: Set(refresh_hash.to_owned()),
        previous_hash: Set(None),
        created_at: Set(created_at.into()),
        last_used_at: Set(last_used_at.into()),
        expires_at: Set(expires_at.into()),
        idle_expires_at: Set(idle_expires_at.into()),
        revoked_at: Set(revoked.as_ref().map(|revoked| revoked.at.into())),
        revoked_why: Set(revoked.map(|revoked| revoked.why)),
        user_agent: Set(user_agent),
    };
    session::Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

/// The session whose present or previous refresh token has this hash, live or not.
pub async fn by_refresh_hash(conn: &impl ConnectionTrait, hash: &str) -> Result<Option<Presented>> {
    let either =
        Condition::any().add(session::Column::RefreshHash.eq(hash)).add(session::Column::PreviousHash.eq(hash));
    let Some(row) = session::Entity::find().filter(either).one(conn).await? else { return Ok(None) };
    let is_current = row.refresh_hash == hash;
    let session = read_session(row)?;
    Ok(Some(if is_current { Presented::Current(session) } else { Presented::Previous(session) }))
}

/// A change of refresh tokens.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// The hash that was presented.
    pub from: &'a str,
    /// The hash of the token that replaces it.
    pub to: &'a str,
    /// When.
    pub at: Timestamp,
    /// Until when the new one must be used.
    pub idle_expires_at: Timestamp,
}

/// Replaces the refresh token; false when somebody else did so first or the session is over.
pub async fn rotate(
    conn: &impl ConnectionTrait,
    id: SessionId,
    rotation: Rotation<'_>,
) -> std::result::Result<bool, DbErr> {
    let Rotation { from, to, at, idle_expires_at } = rotation;
    let changes = session::ActiveModel {
        refresh_hash: Set(to.to_owned()),
        previous_hash: Set(Some(from.to_owned())),
        last_used_at: Set(at.into()),
        idle_expires_at: Set(idle_expires_at.into()),
        ..Default::default()
    };
    let update = session::Entity::update_many()
        .set(changes)
        .filter(session::Column::Id.eq(id.uuid()))
        .filter(session::Column::RefreshHash.eq(from))
        .filter(session::Column::RevokedAt.is_null());
    Ok(update.exec(conn).await?.rows_affected == 1)
}

fn live(user: UserId, now: Timestamp) -> Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::UserId.eq(user.uuid()))
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(Micros::from(now)))
        .filter(session::Column::IdleExpiresAt.gt(Micros::from(now)))
}

/// A person's live sessions, newest first.
pub async fn of_user(conn: &impl ConnectionTrait, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
    let rows = live(user, now).order_by_desc(session::Column::CreatedAt).order_by_desc(session::Column::Id);
    rows.all(conn).await?.into_iter().map(read_session).collect()
}

/// Ends one of a person's sessions; false when it is not theirs or already over.
pub async fn revoke(
    conn: &impl ConnectionTrait,
    user: UserId,
    id: SessionId,
    revoked: &Revoked,
) -> std::result::Result<bool, DbErr> {
    let one = Condition::all().add(session::Column::Id.eq(id.uuid()));
    Ok(end(conn, user, one, revoked).await? == 1)
}

/// Ends every session of a person and says how many.
pub async fn revoke_all(
    conn: &impl ConnectionTrait,
    user: UserId,
    revoked: &Revoked,
) -> std::result::Result<u64, DbErr> {
    end(conn, user, Condition::all(), revoked).await
}

async fn end(
    conn: &impl ConnectionTrait,
    user: UserId,
    which: Condition,
    revoked: &Revoked,
) -> std::result::Result<u64, DbErr> {
    let changes = session::ActiveModel {
        revoked_at: Set(Some(revoked.at.into())),
        revoked_why: Set(Some(revoked.why.clone())),
        ..Default::default()
    };
    let update = session::Entity::update_many()
        .set(changes)
        .filter(session::Column::UserId.eq(user.uuid()))
        .filter(session::Column::RevokedAt.is_null())
        .filter(which);
    Ok(update.exec(conn).await?.rows_affected)
}

/// On whose authority a request with this live session is made; `None` when the session is over.
pub async fn authority(
    conn: &impl ConnectionTrait,
    user: UserId,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Authority>> {
    if live(user, now).filter(session::Column::Id.eq(id.uuid())).one(conn).await?.is_none() {
        return Ok(None);
    }
    let person = user_account::Entity::find_by_id(user.uuid()).one(conn).await?;
    person.map(|row| read_authority(&row).map_err(|why| why.of("user_account"))).transpose()
}

fn read_authority(row: &user_account::Model) -> std::result::Result<Authority, Unreadable> {
    Ok(Authority {
        user: UserId::from_uuid(row.id),
        role: row.role.as_deref().map(|word| read::word("role", word)).transpose()?,
        status: read::word("status", &row.status)?,
        email_verified: row.email_verified_at.is_some(),
    })
}

/// Adds a signing key.
pub async fn add_key(conn: &impl ConnectionTrait, key: &SigningKey) -> std::result::Result<(), DbErr> {
    let SigningKey { kid, sealed_private, public_jwk, created_at, retires_at } = key.clone();
    let row = signing_key::ActiveModel {
        kid: Set(kid),
        sealed_private: Set(sealed_private),
        public_jwk: Set(public_jwk),
        created_at: Set(created_at.into()),
        retires_at: Set(retires_at.map(Micros::from)),
    };
    signing_key::Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

/// Every signing key, newest first.
pub async fn keys(conn: &impl ConnectionTrait) -> Result<Vec<SigningKey>> {
    let rows = signing_key::Entity::find()
        .order_by_desc(signing_key::Column::CreatedAt)
        .order_by_desc(signing_key::Column::Kid)
        .all(conn)
        .await?;
    rows.into_iter().map(|row| read_key(row).map_err(|why| why.of("signing_key"))).collect()
}

/// As [`keys`], by one transaction at a time: whoever makes the first key sees that nobody else has. SQLite has one writer anyway.
pub async fn keys_in_turn(tx: &impl ConnectionTrait) -> Result<Vec<SigningKey>> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("select pg_advisory_xact_lock(hashtextextended('signing_key', 1))").await?;
    }
    keys(tx).await
}

fn read_key(row: signing_key::Model) -> std::result::Result<SigningKey, Unreadable> {
    Ok(SigningKey {
        kid: row.kid,
        sealed_private: row.sealed_private,
        public_jwk: row.public_jwk,
        created_at: row.created_at.try_into()?,
        retires_at: maybe(row.retires_at)?,
    })
}

/// Says from when on nothing that this key signed counts.
pub async fn retire_key(conn: &impl ConnectionTrait, kid: &str, at: Timestamp) -> std::result::Result<bool, DbErr> {
    let update = signing_key::Entity::update_many()
        .col_expr(signing_key::Column::RetiresAt, Expr::value(Micros::from(at)))
        .filter(signing_key::Column::Kid.eq(kid));
    Ok(update.exec(conn).await?.rows_affected == 1)
}

/// Forgets the logins that ended before that instant, by themselves or revoked, and says how many.
pub async fn forget_before(conn: &impl ConnectionTrait, instant: Timestamp) -> std::result::Result<u64, DbErr> {
    use session::Column;
    let instant = Micros::from(instant);
    let ended = Condition::any()
        .add(Column::ExpiresAt.lt(instant))
        .add(Column::IdleExpiresAt.lt(instant))
        .add(Column::RevokedAt.lt(instant));
    Ok(session::Entity::delete_many().filter(ended).exec(conn).await?.rows_affected)
}
