//! People: their accounts and the links that prove their addresses.

use std::fmt;

use domain::{Currency, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entity::{email_verification, user_account};
use crate::error::{Result, Unreadable};
use crate::instant::{Micros, maybe};
use crate::read;
use crate::words::{Role, UserStatus};

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The address, folded to the one spelling that is compared.
    pub email: String,
    /// When the address was proved.
    pub email_verified_at: Option<Timestamp>,
    /// What a password is checked against.
    pub password_hash: String,
    /// What others see and may change at any time.
    pub profile: Profile,
    /// More than guest and host.
    pub role: Option<Role>,
    /// Whether they may do anything.
    pub status: UserStatus,
    /// Since when.
    pub created_at: Timestamp,
    /// The last change.
    pub updated_at: Timestamp,
}

/// What a person says about themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// How to call them.
    pub name: String,
    /// Where to call them.
    pub phone: Option<String>,
    /// In which language to write to them, such as `de-AT`.
    pub locale: String,
    /// In which currency to show prices.
    pub currency: Currency,
}

/// Nothing personal reaches a log through a careless `{:?}`.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

/// As [`User`].
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

/// A link that proves an address: whoever has the token read the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Names the row.
    pub id: Uuid,
    /// Whose address.
    pub user: UserId,
    /// The hash of the token in the link.
    pub token_hash: String,
    /// Until when the link works.
    pub expires_at: Timestamp,
}

impl TryFrom<user_account::Model> for User {
    type Error = Unreadable;

    fn try_from(row: user_account::Model) -> std::result::Result<Self, Unreadable> {
        let profile = Profile {
            name: row.name,
            phone: row.phone,
            locale: row.locale,
            currency: read::word("currency", &row.currency)?,
        };
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: row.email,
            email_verified_at: maybe(row.email_verified_at)?,
            password_hash: row.password_hash,
            profile,
            role: row.role.as_deref().map(|word| read::word("role", word)).transpose()?,
            status: read::word("status", &row.status)?,
            created_at: row.created_at.try_into()?,
            updated_at: row.updated_at.try_into()?,
        })
    }
}

fn read_user(row: user_account::Model) -> Result<User> {
    User::try_from(row).map_err(|why| why.of("user_account"))
}

/// Makes an account; [`Taken`](crate::Class::Taken) when the address has one.
pub async fn create(conn: &impl ConnectionTrait, user: &User) -> std::result::Result<(), DbErr> {
    let User { id, email, email_verified_at, password_hash, profile, role, status, created_at, updated_at } =
        user.clone();
    let Profile { name, phone, locale, currency } = profile;
    let row = user_account::ActiveModel {
        id: Set(id.uuid()),
        email: Set(email),
        email_verified_at: Set(email_verified_at.map(Micros::from)),
        password_hash: Set(password_hash),
        name: Set(name),
        phone: Set(phone),
        locale: Set(locale),
        currency: Set(currency.to_string()),
        role: Set(role.map(|role| role.to_string())),
        status: Set(status.to_string()),
        created_at: Set(created_at.into()),
        updated_at: Set(updated_at.into()),
    };
    user_account::Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

/// The account of this person.
pub async fn by_id(conn: &impl ConnectionTrait, id: UserId) -> Result<Option<User>> {
    user_account::Entity::find_by_id(id.uuid()).one(conn).await?.map(read_user).transpose()
}

/// The account with this folded address.
pub async fn by_email(conn: &impl ConnectionTrait, email: &str) -> Result<Option<User>> {
    let rows = user_account::Entity::find().filter(user_account::Column::Email.eq(email));
    rows.one(conn).await?.map(read_user).transpose()
}

/// Several accounts at once, in no order; those that do not exist are missing.
pub async fn by_ids(conn: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<User>> {
    let rows = user_account::Entity::find().filter(user_account::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    rows.all(conn).await?.into_iter().map(read_user).collect()
}

/// Replaces what a person says about themselves; false when there is no such person.
pub async fn set_profile(
    conn: &impl ConnectionTrait,
    id: UserId,
    profile: &Profile,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let Profile { name, phone, locale, currency } = profile.clone();
    let changes = user_account::ActiveModel {
        name: Set(name),
        phone: Set(phone),
        locale: Set(locale),
        currency: Set(currency.to_string()),
        ..Default::default()
    };
    change(conn, id, changes, at).await
}

/// Replaces what the password is checked against.
pub async fn set_password(
    conn: &impl ConnectionTrait,
    id: UserId,
    hash: String,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let changes = user_account::ActiveModel { password_hash: Set(hash), ..Default::default() };
    change(conn, id, changes, at).await
}

/// Gives a person a role, or takes it away.
pub async fn set_role(
    conn: &impl ConnectionTrait,
    id: UserId,
    role: Option<Role>,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let changes = user_account::ActiveModel { role: Set(role.map(|role| role.to_string())), ..Default::default() };
    change(conn, id, changes, at).await
}

/// Shuts a person out, or lets them in again.
pub async fn set_status(
    conn: &impl ConnectionTrait,
    id: UserId,
    status: UserStatus,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let changes = user_account::ActiveModel { status: Set(status.to_string()), ..Default::default() };
    change(conn, id, changes, at).await
}

/// Notes that the address is proved.
pub async fn set_email_verified(
    conn: &impl ConnectionTrait,
    id: UserId,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    let changes = user_account::ActiveModel { email_verified_at: Set(Some(at.into())), ..Default::default() };
    change(conn, id, changes, at).await
}

async fn change(
    conn: &impl ConnectionTrait,
    id: UserId,
    mut changes: user_account::ActiveModel,
    at: Timestamp,
) -> std::result::Result<bool, DbErr> {
    changes.updated_at = Set(at.into());
    let update = user_account::Entity::update_many().set(changes).filter(user_account::Column::Id.eq(id.uuid()));
    Ok(update.exec(conn).await?.rows_affected == 1)
}

/// Remembers a link that was mailed.
pub async fn add_verification(conn: &impl ConnectionTrait, link: &Verification) -> std::result::Result<(), DbErr> {
    let Verification { id, user, token_hash, expires_at } = link.clone();
    let row = email_verification::ActiveModel {
        id: Set(id),
        user_id: Set(user.uuid()),
        token_hash: Set(token_hash),
        expires_at: Set(expires_at.into()),
        used_at: Set(None),
    };
    email_verification::Entity::insert(row).exec_without_returning(conn).await.map(|_| ())
}

/// Uses up every link that was mailed to this person so far.
pub async fn void_verifications(
    conn: &impl ConnectionTrait,
    user: UserId,
    at: Timestamp,
) -> std::result::Result<(), DbErr> {
    use email_verification::Column;
    let open = email_verification::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Micros::from(at)))
        .filter(Column::UserId.eq(user.uuid()))
        .filter(Column::UsedAt.is_null());
    open.exec(conn).await.map(|_| ())
}

/// Uses up the link with this token's hash and says whose address it proves; `None` when it is unknown, used or too old.
pub async fn use_verification(
    conn: &impl ConnectionTrait,
    token_hash: &str,
    now: Timestamp,
) -> std::result::Result<Option<UserId>, DbErr> {
    use email_verification::Column;
    let used = email_verification::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Micros::from(now)))
        .filter(Column::TokenHash.eq(token_hash))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(Micros::from(now)))
        .exec_with_returning(conn)
        .await?;
    Ok(used.first().map(|link| UserId::from_uuid(link.user_id)))
}

/// Forgets the links that were good until some time before that instant, and says how many.
pub async fn forget_verifications_before(
    conn: &impl ConnectionTrait,
    instant: Timestamp,
) -> std::result::Result<u64, DbErr> {
    let old = email_verification::Column::ExpiresAt.lt(Micros::from(instant));
    Ok(email_verification::Entity::delete_many().filter(old).exec(conn).await?.rows_affected)
}
