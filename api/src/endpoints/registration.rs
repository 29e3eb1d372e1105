//! `/register`, `/verify-email`: making an account and proving its address.

use axum::extract::State;
use axum::response::IntoResponse;
use domain::Currency;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::idempotency::Answer;
use workflows::identity::{self, Email, Locale, NewAccount, PersonName, anonymous};
use workflows::{App, Error, ExposeSecret as _, SecretString};

use crate::body::Field;
use crate::client::Client;
use crate::landing::{self, Button};
use crate::once::{Answered, Command};
use crate::path::Query;
use crate::problem::Problem;
use crate::router::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(register))
        .routes(routes!(verify_email, verify_page))
        .routes(routes!(resend))
}

/// What somebody gives to have an account; everything that is wrong with it is told at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Registration {
    /// Compared without regard to case.
    #[serde(default)]
    #[schema(value_type = String, required = true, format = "email", example = "anna@example.org")]
    email: Field<Email>,
    /// 8 to 256 characters, any but control characters; not one of those that are guessed first.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 8, max_length = 256, example = "correct horse battery staple")]
    password: Field<SecretString>,
    /// How to call you.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100, example = "Anna Huber")]
    name: Field<PersonName>,
    /// In which language to write to you (BCP 47); `en` when absent.
    #[serde(default = "english")]
    #[schema(value_type = Option<String>, example = "de-AT")]
    locale: Field<Locale>,
    /// In which currency to show prices (ISO 4217); `EUR` when absent.
    #[serde(default = "euro")]
    #[schema(value_type = Option<String>, example = "EUR")]
    currency: Field<Currency>,
}

fn english() -> Field<Locale> {
    Field::or(Locale::default())
}

const fn euro() -> Field<Currency> {
    Field::or(Currency::EUR)
}

impl Registration {
    fn read(self) -> Result<NewAccount, Problem> {
        let Self { email, password, name, locale, currency } = self;
        let mut flaws = vec![];
        let email = email.read("email", &mut flaws);
        let password = password.read("password", &mut flaws);
        let name = name.read("name", &mut flaws);
        let (locale, currency) = (locale.read("locale", &mut flaws), currency.read("currency", &mut flaws));
        let weak = |password| identity::weakness(password, email.as_ref(), name.as_ref());
        flaws.extend(password.as_ref().and_then(weak));
        match (email, password, name, locale, currency) {
            (Some(email), Some(password), Some(name), Some(locale), Some(currency)) if flaws.is_empty() => {
                Ok(NewAccount { email, password, name, locale, currency })
            }
            _ => Err(Error::Invalid(flaws).into()),
        }
    }
}

/// The one answer there is, whether the address has an account or not.
#[derive(Debug, Serialize, ToSchema)]
struct LetterSent {
    /// Always `letter_sent`.
    status: &'static str,
}

fn letter_sent() -> Answer {
    Answer::json(202, &LetterSent { status: "letter_sent" })
}

/// Make an account
///
/// The answer does not tell whether the address has an account: that stands in the letter. Until the address is proved
/// nobody can sign in.
#[utoipa::path(post, path = "/register", tag = "identity", request_body = Registration, responses((status = 202, body = LetterSent)))]
async fn register(State(app): State<App>, client: Client, command: Command<Registration>) -> Result<Answered, Problem> {
    let command = command.understood(Registration::read)?;
    let caller = anonymous(command.body.email.as_str());
    let (wish, once) = command.by(caller);
    Ok(Answered(identity::register(&app, wish, client.asker(), once, letter_sent).await?))
}

/// The proof that somebody read the letter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// The `token` of the link in the letter.
    #[schema(value_type = String)]
    token: SecretString,
}

/// Prove an address
///
/// The link in the letter works once, for an hour.
#[utoipa::path(post, path = "/verify-email", tag = "identity", request_body = Proof, responses((status = 204, description = "The address is proved; sign in.")))]
async fn verify_email(State(app): State<App>, command: Command<Proof>) -> Result<Answered, Problem> {
    let caller = anonymous(command.body.token.expose_secret());
    let (Proof { token }, once) = command.by(caller);
    Ok(Answered(identity::verify_email(&app, token, once, || Answer::empty(204)).await?))
}

/// To whom to write again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resend {
    /// The address that waits to be proved.
    #[schema(value_type = String, format = "email")]
    email: Email,
}

/// A link that proves an address.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Link {
    /// The secret of the letter.
    token: String,
}

/// The page to which the letter's link leads
///
/// For people: it asks before it proves anything, since programs that look at letters follow links too.
#[utoipa::path(get, path = "/verify-email", tag = "identity", params(Link), responses((status = 200, content_type = "text/html", body = String)))]
async fn verify_page(Query(Link { token }): Query<Link>) -> impl IntoResponse {
    let (says, done) = ("Is this address yours?", "Thank you: your address is confirmed, and you can log in.");
    let button = Button { label: "Yes, it is mine", to: "/verify-email", body: &json!({"token": token}), done };
    landing::page("Confirm your address", says, &[button])
}

/// Ask for another letter
///
/// The answer does not tell whether the address has an account or is proved already.
#[utoipa::path(post, path = "/verify-email/resend", tag = "identity", request_body = Resend, responses((status = 202, body = LetterSent)))]
async fn resend(State(app): State<App>, client: Client, command: Command<Resend>) -> Result<Answered, Problem> {
    let caller = anonymous(command.body.email.as_str());
    let (Resend { email }, once) = command.by(caller);
    Ok(Answered(identity::resend(&app, email, client.asker(), once, letter_sent).await?))
}
