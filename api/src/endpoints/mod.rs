//! The endpoints, one file per group: a file holds its handlers, what they read and show, and their registration.
//!
//! To add an endpoint, write the handler in its group's file and name it in that file's `routes`; a new group adds one
//! `mod` and one name to the list here.

use utoipa_axum::router::OpenApiRouter;

use crate::router::Api;

pub(crate) use admin::Watching;
pub(crate) use quotes::{LineView, QuoteView};

mod admin;
mod bookings;
mod health;
mod jwks;
mod login;
mod notifications;
mod payments;
mod payouts;
mod profile;
mod properties;
mod quotes;
mod reference;
mod registration;
mod sandbox;
mod search;
mod sessions;
mod uploads;
mod webhooks;

/// Every route of the API, with its documentation.
pub(crate) fn all() -> OpenApiRouter<Api> {
    let groups = [
        registration::routes,
        login::routes,
        sessions::routes,
        profile::routes,
        properties::routes,
        search::routes,
        quotes::routes,
        bookings::routes,
        payments::routes,
        payouts::routes,
        notifications::routes,
        webhooks::routes,
        uploads::routes,
        admin::routes,
        sandbox::routes,
        jwks::routes,
        health::routes,
        reference::routes,
    ];
    groups.into_iter().fold(OpenApiRouter::default(), |all, group| all.merge(group()))
}
