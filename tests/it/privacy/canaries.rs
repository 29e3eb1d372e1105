//! Words that stand nowhere else, one for every thing that a person tells us about themselves.

use serde_json::{Value, json};

/// What must never be found outside the rows that can be erased.
pub(super) const PERSONAL: [(&str, &str); 15] = [
    ("the guest's e-mail address", "zqmail"),
    ("the host's e-mail address", "zqhostmail"),
    ("a mistyped e-mail address", "zqtypo"),
    ("the guest's name", "zqname"),
    ("the name in a changed profile", "zqnewname"),
    ("the telephone number", "43987650123"),
    ("the message to the host", "zqmessage"),
    ("the guest's own reference", "zqreference"),
    ("the home's title", "zqtitle"),
    ("the home's description", "zqdescription"),
    ("the photograph's caption", "zqcaption"),
    ("the home's town", "zqtown"),
    ("where exactly the home is", "7640434"),
    ("the name of the device", "zqagent"),
    ("an idempotency key", "zqkey"),
];

/// What must not even be found there.
pub(super) const PASSWORDS: [&str; 3] = ["zqpassword of the guest", "zqpassword that is wrong", CARD];

/// A card's number, given where a token belongs; as secret as a password.
pub(super) const CARD: &str = "4000056655665556";

/// Every text that a request can carry, and what is planted in it; a new one fails the test until somebody has judged it.
pub(super) const JUDGED: &[(&str, &str)] = &[
    ("POST /register /email", "zqmail"),
    ("POST /register /password", "zqpassword"),
    ("POST /register /name", "zqname"),
    ("POST /register /locale", ""),
    ("POST /register /currency", ""),
    ("POST /verify-email /token", "a secret of ours"),
    ("POST /verify-email/resend /email", "zqmail"),
    ("POST /login /email", "zqmail"),
    ("POST /login /password", "zqpassword"),
    ("POST /login/refresh /refresh_token", "a secret of ours"),
    ("PATCH /profile /name", "zqnewname"),
    ("PATCH /profile /phone", "43987650123"),
    ("PATCH /profile /locale", ""),
    ("PATCH /profile /currency", ""),
    ("POST /properties /title", "zqtitle"),
    ("POST /properties /description", "zqdescription"),
    ("POST /properties /kind", ""),
    ("POST /properties /place/city", "zqtown"),
    ("POST /properties /place/country", ""),
    ("POST /properties /time_zone", ""),
    ("POST /properties /check_in_time", ""),
    ("POST /properties /check_out_time", ""),
    ("POST /properties /policy", ""),
    ("POST /properties /long_policy", ""),
    ("POST /properties /price/nightly/currency", ""),
    ("POST /properties /price/weekend/currency", ""),
    ("POST /properties /price/cleaning/currency", ""),
    ("POST /properties /price/pets/currency", ""),
    ("POST /properties/{id}/images /content_type", ""),
    ("POST /properties/{id}/images /caption", "zqcaption"),
    ("POST /quotes /property_id", ""),
    ("POST /bookings /quote_id", ""),
    ("POST /bookings /property_id", ""),
    ("POST /bookings /payment_method", "a token of the gateway's"),
    ("POST /bookings /expected_total/currency", ""),
    ("POST /bookings /client_reference", "zqreference"),
    ("POST /bookings /message", "zqmessage"),
    ("POST /payments /booking_id", ""),
    ("POST /payments /payment_method", "a token of the gateway's"),
    ("POST /admin/work/retry /work", ""),
    ("POST /admin/work/retry /which/workflow", ""),
    ("POST /admin/work/retry /which/state", ""),
    ("POST /admin/work/retry /which/queue", ""),
    ("POST /admin/work/retry /which/name", ""),
    ("POST /admin/work/retry /which/error_class", ""),
    ("POST /admin/work/resolve /work", ""),
    ("POST /admin/work/resolve /which/workflow", ""),
    ("POST /admin/work/resolve /which/state", ""),
    ("POST /admin/work/resolve /which/queue", ""),
    ("POST /admin/work/resolve /which/name", ""),
    ("POST /admin/work/resolve /which/error_class", ""),
    ("POST /admin/work/resolve /event", "an event of ours: what else it says is not kept"),
    ("POST /admin/brakes/pause /name", ""),
    ("POST /admin/brakes/pause /why", "an operator's words about a brake, forgotten with the pause"),
    ("POST /admin/brakes/resume /name", ""),
    ("POST /admin/brakes/limit /queue", ""),
    ("POST /admin/runs/cancel /run", ""),
    ("POST /admin/runs/cancel /which/workflow", ""),
    ("POST /admin/runs/cancel /which/state", ""),
    ("POST /admin/workflows/{workflow}/reproject /after", ""),
    ("POST /admin/schedules/{name}/pause /why", "an operator's words about a schedule, forgotten with the pause"),
];

/// A home with its owner's words in every place.
pub(super) fn home() -> Value {
    let mut home = crate::bad_input::cast::Cast::description();
    home["title"] = "Chez Zqtitle".into();
    home["description"] = "Zqdescription lives next door.".into();
    home["place"] = json!({"city": "Zqtown", "country": "FR", "latitude": 45.764_043_4, "longitude": 4.835_659});
    home
}
