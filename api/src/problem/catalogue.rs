//! Every way a request can end other than well: one line each, and the only place where a code meets a status.
//!
//! The list is part of the API: it is served in `/openapi.json` (`x-problems`) and shown at `/docs`. A code is never
//! renamed and never changes its status; clients program against it.

use axum::http::StatusCode;

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Stable, snake_case; also the last part of the problem's `type`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
    /// A short name for people.
    pub title: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
}

impl Kind {
    /// The stable `type` of RFC 9457.
    pub fn uri(&self) -> String {
        format!("urn:innkeeper:problem:{}", self.code)
    }
}

/// The kind with this code, if the catalogue knows it.
pub fn find(code: &str) -> Option<&'static Kind> {
    CATALOGUE.iter().find(|kind| kind.code == code)
}

const FINAL: bool = false;
const RETRY: bool = true;

macro_rules! catalogue {
    ($($name:ident $code:literal $status:ident $retryable:ident $title:literal $meaning:literal;)+) => {
        $(
            #[doc = $meaning]
            pub const $name: Kind = Kind {
                code: $code,
                status: StatusCode::$status,
                retryable: $retryable,
                title: $title,
                meaning: $meaning,
            };
        )+

        /// All kinds, in the order of their statuses.
        pub const CATALOGUE: &[Kind] = &[$($name),+];
    };
}

catalogue! {
    MALFORMED_JSON "malformed_json" BAD_REQUEST FINAL "Malformed JSON" "The body is not JSON. Nothing was read from it.";
    UNREADABLE_BODY "unreadable_body" BAD_REQUEST FINAL "Unreadable body" "The body ended early or could not be read.";
    INVALID_QUERY "invalid_query" BAD_REQUEST FINAL "Invalid query" "A query parameter is unknown, repeated or cannot be read; `errors` says which.";
    INVALID_CURSOR "invalid_cursor" BAD_REQUEST FINAL "Invalid cursor" "The cursor was not made for this list with this filter. Begin again without it.";
    INVALID_HEADER "invalid_header" BAD_REQUEST FINAL "Invalid header" "A header cannot be read; `detail` says which.";
    IDEMPOTENCY_KEY_MISSING "idempotency_key_missing" BAD_REQUEST FINAL "Idempotency key missing" "This request needs an `Idempotency-Key` header, so that sending it twice does it once.";
    UNSUPPORTED_VERSION "unsupported_version" BAD_REQUEST FINAL "Unsupported version" "The `Api-Version` asked for does not exist.";
    NOT_SIGNED_IN "not_signed_in" UNAUTHORIZED FINAL "Not signed in" "Send `Authorization: Bearer <access token>`; `/login` gives one.";
    TOKEN_INVALID "token_invalid" UNAUTHORIZED FINAL "Token not valid" "The token is expired or not one of ours. Refresh it or sign in again.";
    SESSION_ENDED "session_ended" UNAUTHORIZED FINAL "Session ended" "The session was signed out, revoked or is too old. Sign in again.";
    WRONG_CREDENTIALS "wrong_credentials" UNAUTHORIZED FINAL "Wrong credentials" "E-mail or password is wrong.";
    FORBIDDEN "forbidden" FORBIDDEN FINAL "Forbidden" "You may not do this, whatever the state.";
    EMAIL_UNVERIFIED "email_unverified" FORBIDDEN FINAL "E-mail not verified" "Open the link in the mail first; `/verify-email/resend` sends another.";
    ACCOUNT_SUSPENDED "account_suspended" FORBIDDEN FINAL "Account suspended" "The account is suspended; write to support.";
    WEBHOOK_MALFORMED "webhook_malformed" FORBIDDEN FINAL "Webhook malformed" "The signature or the message is not in the gateway's form.";
    WEBHOOK_SIGNATURE "webhook_signature" FORBIDDEN FINAL "Webhook not believed" "The message does not bear the gateway's signature.";
    WEBHOOK_STALE "webhook_stale" FORBIDDEN FINAL "Webhook too old" "The message was signed too long ago, or in the future.";
    NOT_FOUND "not_found" NOT_FOUND FINAL "Not found" "There is no such thing, or it is not yours to know about.";
    METHOD_NOT_ALLOWED "method_not_allowed" METHOD_NOT_ALLOWED FINAL "Method not allowed" "The path exists with other methods; see `Allow`.";
    BODY_TIMEOUT "body_timeout" REQUEST_TIMEOUT RETRY "Body too slow" "The body did not arrive in time.";
    CONFLICT "conflict" CONFLICT FINAL "Conflict" "The present state does not allow it; `detail` says why.";
    OUT_OF_TURN "out_of_turn" CONFLICT FINAL "Out of turn" "This is not possible in the present state; read the resource and its `actions`.";
    DATES_UNAVAILABLE "dates_unavailable" CONFLICT FINAL "Dates unavailable" "At least one of the nights is taken. Nothing was booked or charged. Where a hold is in the way, `hold_expires_at` says when it ends unless it is confirmed; where a booking of your own is, `booking_id` names it.";
    PRICE_CHANGED "price_changed" CONFLICT FINAL "Price changed" "The total is not your `expected_total`. `total` and `lines` are the price now; `changes` says which lines differ, where the old price was in a quote of yours.";
    NOT_BOOKABLE "not_bookable" CONFLICT FINAL "Not bookable" "The host takes no bookings for this home at present.";
    CLIENT_REFERENCE_USED "client_reference_used" CONFLICT FINAL "Reference used" "Another booking of yours has this `client_reference`; list your bookings by it.";
    PAYMENT_IN_PROGRESS "payment_in_progress" CONFLICT RETRY "Payment in progress" "The payment is under way. Ask again in a moment.";
    CARD_OFFERED "card_offered" CONFLICT FINAL "Card offered before" "This card was offered for the booking before; see its payments.";
    STAY_IS_OVER "stay_is_over" CONFLICT FINAL "Stay is over" "The stay is over and can no longer be called off.";
    ALREADY_DONE "already_done" CONFLICT FINAL "Already done" "This was done before, under the same key.";
    ZONE_IN_USE "zone_in_use" CONFLICT FINAL "Time zone in use" "The home has stays that go by its present time zone.";
    TOO_MANY_PHOTOGRAPHS "too_many_photographs" CONFLICT FINAL "Too many photographs" "A home has at most 50 photographs.";
    PHOTO_NOT_FAILED "photo_not_failed" CONFLICT FINAL "Photograph not failed" "Only a photograph that failed can be tried again.";
    IDEMPOTENCY_IN_FLIGHT "idempotency_in_flight" CONFLICT RETRY "Still being answered" "The first request with this key has not been answered yet. Ask again in a moment, with the same key.";
    GONE "gone" GONE FINAL "Gone" "It was there and is no more.";
    QUOTE_EXPIRED "quote_expired" GONE FINAL "Quote expired" "The price was held for a while and no longer is. Where the stay can still be had, `quote` is a new one for it and `changes` says which lines differ.";
    HOLD_EXPIRED "hold_expired" GONE FINAL "Hold expired" "The nights were held for you and no longer are. Book again.";
    LINK_EXPIRED "link_expired" GONE FINAL "Link expired" "The link was used, replaced or is too old. Ask for another.";
    STALE "stale" PRECONDITION_FAILED FINAL "Stale version" "It changed since you read it. Read it again and repeat your change.";
    TOO_LARGE "too_large" PAYLOAD_TOO_LARGE FINAL "Too large" "The body is larger than this route takes.";
    URI_TOO_LONG "uri_too_long" URI_TOO_LONG FINAL "URI too long" "The address is longer than we read.";
    UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE FINAL "Unsupported media type" "Send `Content-Type: application/json`.";
    INVALID_BODY "invalid_body" UNPROCESSABLE_ENTITY FINAL "Invalid body" "A value is missing, unknown, of the wrong type or impossible; `errors` points at each.";
    IDEMPOTENCY_KEY_REUSED "idempotency_key_reused" UNPROCESSABLE_ENTITY FINAL "Idempotency key reused" "The key was used for a different request. A new intent needs a new key.";
    PRECONDITION_REQUIRED "precondition_required" PRECONDITION_REQUIRED FINAL "Precondition required" "Send `If-Match` with the `ETag` that you read, so that no change is lost.";
    TOO_MANY_TRIES "too_many_tries" TOO_MANY_REQUESTS RETRY "Too many tries" "Wait as long as `Retry-After` says; `RateLimit` and `RateLimit-Policy` name the limit.";
    HEADERS_TOO_LARGE "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE FINAL "Headers too large" "The headers are larger than we read.";
    INTERNAL "internal" INTERNAL_SERVER_ERROR RETRY "Internal error" "Something failed on our side. Repeat with the same idempotency key; quote `request_id` to support.";
    BUSY "busy" SERVICE_UNAVAILABLE RETRY "Busy" "We are too busy to begin; nothing happened. Wait as long as `Retry-After` says.";
    CUT_OFF "cut_off" SERVICE_UNAVAILABLE RETRY "Cut off" "We lost touch with a part of ourselves; what was begun may be done. Repeat with the same idempotency key.";
    TOO_SLOW "too_slow" SERVICE_UNAVAILABLE RETRY "No answer in time" "The answer took too long; what was begun may still be done. Repeat with the same idempotency key.";
    DRAINING "draining" SERVICE_UNAVAILABLE RETRY "Not ready" "This process takes no new work.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_and_found() {
        let codes: BTreeSet<_> = CATALOGUE.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), CATALOGUE.len());
        assert!(CATALOGUE.iter().all(|kind| find(kind.code) == Some(kind)));
        assert_eq!(find("no_such_code"), None);
    }

    #[test]
    fn only_a_wait_or_our_own_fault_is_worth_repeating_unchanged() {
        for kind in CATALOGUE.iter().filter(|kind| kind.retryable) {
            let wait = matches!(kind.status.as_u16(), 408 | 429)
                || [IDEMPOTENCY_IN_FLIGHT, PAYMENT_IN_PROGRESS].contains(kind);
            assert!(wait || kind.status.is_server_error(), "{} is not worth repeating", kind.code);
        }
    }
}
