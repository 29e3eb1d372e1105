//! `/profile`: what a person says about themselves.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{Currency, UserId};
use serde::{Deserialize, Serialize};
use store::users::{Profile, User};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::App;
use workflows::identity::profile::{self, ProfileChange};
use workflows::identity::{Locale, PersonName, Phone};

use crate::body::{Json, Patch};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(show, change))
}

/// Your account, as only you see it.
#[derive(Serialize, ToSchema)]
struct ProfileView {
    /// Names you.
    #[schema(value_type = String, example = "usr_0192f0c1a2b37c4d8e5f60718293a4b5")]
    id: UserId,
    /// Where we write to you.
    email: String,
    /// How we call you.
    name: String,
    /// Where to call you, as E.164.
    phone: Option<String>,
    /// In which language we write to you.
    locale: String,
    /// In which currency prices are shown.
    #[schema(value_type = String)]
    currency: Currency,
    /// `operator` for who runs the marketplace.
    role: Option<&'static str>,
    /// Since when.
    created_at: DateTime<Utc>,
    /// The last change.
    updated_at: DateTime<Utc>,
}

impl From<User> for ProfileView {
    fn from(user: User) -> Self {
        let User {
            id,
            email,
            email_verified_at: _,
            password_hash: _,
            profile,
            role,
            status: _,
            created_at,
            updated_at,
        } = user;
        let Profile { name, phone, locale, currency } = profile;
        Self { id, email, name, phone, locale, currency, role: role.map(store::Role::as_str), created_at, updated_at }
    }
}

/// A JSON Merge Patch (RFC 7396) of your profile: what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfilePatch {
    /// How to call you.
    #[serde(default, deserialize_with = "crate::body::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, nullable = false)]
    name: Option<PersonName>,
    /// Where to call you, as E.164; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+43123456789")]
    phone: Patch<Phone>,
    /// In which language to write to you (BCP 47).
    #[serde(default, deserialize_with = "crate::body::given")]
    #[schema(value_type = Option<String>, nullable = false)]
    locale: Option<Locale>,
    /// In which currency to show prices (ISO 4217).
    #[serde(default, deserialize_with = "crate::body::given")]
    #[schema(value_type = Option<String>, nullable = false)]
    currency: Option<Currency>,
}

/// See your account
#[utoipa::path(get, path = "/profile", tag = "identity", security(("bearer" = [])), responses((status = 200, body = ProfileView)))]
async fn show(caller: Caller, State(app): State<App>) -> Result<Json<ProfileView>, Problem> {
    Ok(Json(profile::show(&app, caller.id).await?.into()))
}

/// Change your profile
#[utoipa::path(patch, path = "/profile", tag = "identity", security(("bearer" = [])),
    request_body(content = ProfilePatch, content_type = "application/merge-patch+json"), responses((status = 200, body = ProfileView)))]
async fn change(
    caller: Caller,
    State(app): State<App>,
    Json(patch): Json<ProfilePatch>,
) -> Result<Json<ProfileView>, Problem> {
    let ProfilePatch { name, phone, locale, currency } = patch;
    let change = ProfileChange { name, phone: phone.wish(), locale, currency };
    Ok(Json(profile::change(&app, caller.id, change).await?.into()))
}
