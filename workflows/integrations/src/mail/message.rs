//! From an [`OutgoingMail`] to the bytes on the wire, the same bytes every time.

use lettre::Message;
use lettre::message::header::Date;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::{MailAnswer, OutgoingMail};
use crate::Error;

/// Builds the message; a recipient that is no address is an answer, a sender that is none is our mistake.
pub(super) fn build(mail: &OutgoingMail) -> Result<Result<Message, MailAnswer>, Error> {
    let OutgoingMail { message_id, from, to, subject, text, html, at } = mail;
    if !is_message_id(message_id) {
        return Err(Error::misconfigured(format!("{message_id:?} is no message id")));
    }
    let from: Mailbox = from.parse().map_err(|_| Error::misconfigured("the sender of our mail is no mail address"))?;
    let Ok(to) = to.parse::<Mailbox>() else {
        return Ok(Err(MailAnswer::Rejected { why: "bad_address".to_owned() }));
    };
    let body = MultiPart::alternative()
        // Left alone, a boundary is random and two tries would differ.
        .boundary(&fingerprint(message_id)[..32])
        .singlepart(SinglePart::plain(text.clone()))
        .singlepart(SinglePart::html(html.clone()));
    Message::builder()
        .message_id(Some(format!("<{message_id}>")))
        .header(Date::new((*at).into()))
        .from(from)
        .to(to)
        .subject(subject)
        .multipart(body)
        .map(Ok)
        .map_err(|error| Error::misconfigured(format!("putting a mail together: {error}")))
}

pub(super) fn fingerprint(message_id: &str) -> String {
    hex::encode(Sha256::digest(message_id))
}

/// What may stand between angle brackets without being folded, quoted or taken for another header.
fn is_message_id(id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    id.len() <= 200
        && id.split_once('@').is_some_and(|(left, right)| {
            !left.is_empty() && !right.is_empty() && left.bytes().chain(right.bytes()).all(is_safe)
        })
}
