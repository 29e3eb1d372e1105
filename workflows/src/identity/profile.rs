//! What a person says about themselves, seen and changed by them.

use domain::{Currency, UserId};
use store::users::{self, Profile, User};

use super::person::{Locale, PersonName, Phone};
use crate::Error;
use crate::app::App;

/// A wish to change a profile; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// How to call them.
    pub name: Option<PersonName>,
    /// Where to call them; `Some(None)` takes the number away.
    pub phone: Option<Option<Phone>>,
    /// In which language to write to them.
    pub locale: Option<Locale>,
    /// In which currency to show prices.
    pub currency: Option<Currency>,
}

/// A person's account as they see it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such person.
pub async fn show(app: &App, user: UserId) -> Result<User, Error> {
    users::by_id(app.reader(), user).await?.ok_or(Error::NotFound)
}

/// Changes a profile and shows the account afterwards.
///
/// # Errors
/// [`Error::NotFound`] when there is no such person.
pub async fn change(app: &App, user: UserId, change: ProfileChange) -> Result<User, Error> {
    let app = app.clone();
    engine::detached(async move {
        let tx = app.engine.begin().await?;
        let user = users::by_id(&*tx, user).await?.ok_or(Error::NotFound)?;
        let user = User { profile: change.over(user.profile), updated_at: app.wall(), ..user };
        users::set_profile(&*tx, user.id, &user.profile, user.updated_at).await?;
        tx.commit().await?;
        Ok(user)
    })
    .await
}

impl ProfileChange {
    fn over(self, present: Profile) -> Profile {
        let Self { name, phone, locale, currency } = self;
        Profile {
            name: name.map_or(present.name, |name| name.as_str().to_owned()),
            phone: phone.map_or(present.phone, |phone| phone.map(|phone| phone.as_str().to_owned())),
            locale: locale.map_or(present.locale, |locale| locale.as_str().to_owned()),
            currency: currency.unwrap_or(present.currency),
        }
    }
}
