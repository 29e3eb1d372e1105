//! Everything outside Innkeeper, each behind a port: who takes the money, keeps the photographs and carries the mail.
//!
//! One module per outside party. A module holds the port (a trait that the processes call), the real clients and, where a
//! newcomer would otherwise need an account somewhere, a local stand-in that behaves like the real thing: the sandbox
//! gateway moves pretend money, [`objects::LocalObjects`] keeps files in a folder, [`mail::FolderMailer`] writes `.eml`
//! files. The stand-ins are products, not mocks: they have their own storage, survive being killed and are shared by all
//! processes of a deployment.
//!
//! Every answer an outside party can give falls into one of four classes, and telling them apart is the work of this
//! crate. A *refusal that belongs to the business* (the card is declined, the mailbox does not exist) is a value, never an
//! error. The other three are [`Error`].

mod error;
pub mod images;
pub mod mail;
pub mod objects;
pub mod payments;

pub use error::Error;
