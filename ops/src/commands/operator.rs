//! `innkeeper operator`: the people who look after the marketplace. The first one can only be made here, where the database is.

use crate::config::Config;
use crate::product::Product;
use anyhow::{Context, Result, anyhow, ensure};
use clap::Subcommand;
use domain::Currency;
use secrecy::SecretString;
use std::io::Read;
use workflows::identity::{self, Email, Locale, NewAccount, PersonName};

#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Make an account with an operator's rights. The password is read from standard input.
    Create {
        /// The address to log in with.
        #[arg(long)]
        email: String,
        /// The name that others see.
        #[arg(long)]
        name: String,
    },
}

impl Operator {
    pub(crate) async fn run(self, config: &Config) -> Result<()> {
        let Self::Create { email, name } = self;
        let product = Product::open(config, "operator", &[]).await?;
        let wish = NewAccount {
            email: email.parse::<Email>()?,
            password: password(std::io::stdin())?,
            name: name.parse::<PersonName>()?,
            locale: "en".parse::<Locale>()?,
            currency: Currency::EUR,
        };
        let made = identity::admit(&product.app, wish, Some(store::Role::Operator)).await;
        let id = made.map_err(in_words).context("make the account")?;
        println!("{id}");
        Ok(())
    }
}

/// What is wrong with which value; the error alone only counts them.
fn in_words(error: workflows::Error) -> anyhow::Error {
    let workflows::Error::Invalid(flaws) = error else { return error.into() };
    let words: Vec<_> = flaws.iter().map(|f| format!("{}: {}", f.pointer.trim_start_matches('/'), f.detail)).collect();
    anyhow!(words.join("; "))
}

/// The first line, without its end.
fn password(mut from: impl Read) -> Result<SecretString> {
    let mut text = String::new();
    from.read_to_string(&mut text).context("read the password from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    ensure!(!line.is_empty(), "give the password on standard input: innkeeper operator create … < password");
    Ok(SecretString::from(line))
}
