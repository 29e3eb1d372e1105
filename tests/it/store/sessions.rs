//! People and their logins.

use domain::{SessionId, Timestamp, UserId};
use harness::{TestDatabase, on_both};
use sea_orm::DatabaseConnection;
use store::sessions::{self, Presented, Revoked, Rotation, Session, SigningKey};
use store::users::{self, Verification};
use store::{Class, Role, UserStatus, classify};

use super::town::{dawn, id, user, user_id};

on_both!(
    an_address_has_one_account,
    a_link_proves_an_address_once_and_in_time,
    a_refresh_token_is_replaced_once,
    a_replaced_token_is_recognised,
    a_session_ends_when_revoked_or_idle,
    nobody_ends_a_strangers_session,
    keys_come_newest_first,
);

fn hours(n: i64) -> Timestamp {
    dawn() + chrono::TimeDelta::hours(n)
}

fn session_id() -> SessionId {
    SessionId::from_uuid(id(10, 1))
}

async fn logged_in(db: &DatabaseConnection) -> UserId {
    users::create(db, &user(1)).await.unwrap();
    users::create(db, &user(2)).await.unwrap();
    let session = Session {
        id: session_id(),
        user: user_id(1),
        created_at: dawn(),
        last_used_at: dawn(),
        expires_at: hours(100),
        idle_expires_at: hours(10),
        revoked: None,
        user_agent: Some("a browser".into()),
    };
    sessions::open(db, &session, "one").await.unwrap();
    let live = sessions::of_user(db, user_id(1), hours(1)).await.unwrap();
    assert_eq!(live, [session]);
    user_id(1)
}

async fn rotate(db: &DatabaseConnection, from: &str, to: &str) -> bool {
    let rotation = Rotation { from, to, at: hours(1), idle_expires_at: hours(11) };
    sessions::rotate(db, session_id(), rotation).await.unwrap()
}

async fn an_address_has_one_account(db: TestDatabase) {
    let db = &db.connection;
    users::create(db, &user(1)).await.unwrap();
    let mut rival = user(2);
    rival.email = user(1).email;
    assert_eq!(classify(&users::create(db, &rival).await.unwrap_err()), Class::Taken);
    assert_eq!(users::by_email(db, &rival.email).await.unwrap(), Some(user(1)));
    assert_eq!(users::by_id(db, user_id(2)).await.unwrap(), None);
    assert!(users::set_role(db, user_id(1), Some(Role::Operator), hours(1)).await.unwrap());
    assert!(users::set_status(db, user_id(1), UserStatus::Suspended, hours(1)).await.unwrap());
    assert!(!users::set_password(db, user_id(2), "other".into(), hours(1)).await.unwrap());
    let now = users::by_id(db, user_id(1)).await.unwrap().unwrap();
    assert_eq!((now.role, now.status, now.updated_at), (Some(Role::Operator), UserStatus::Suspended, hours(1)));
}

async fn a_link_proves_an_address_once_and_in_time(db: TestDatabase) {
    let db = &db.connection;
    users::create(db, &user(1)).await.unwrap();
    for (number, token_hash) in [(1, "early"), (2, "late")] {
        let link =
            Verification { id: id(11, number), user: user_id(1), token_hash: token_hash.into(), expires_at: hours(24) };
        users::add_verification(db, &link).await.unwrap();
    }
    assert_eq!(users::use_verification(db, "unknown", hours(1)).await.unwrap(), None);
    assert_eq!(users::use_verification(db, "late", hours(24)).await.unwrap(), None);
    assert_eq!(users::use_verification(db, "early", hours(1)).await.unwrap(), Some(user_id(1)));
    assert_eq!(users::use_verification(db, "early", hours(1)).await.unwrap(), None);
}

async fn a_refresh_token_is_replaced_once(db: TestDatabase) {
    let db = &db.connection;
    logged_in(db).await;
    assert!(rotate(db, "one", "two").await);
    assert!(!rotate(db, "one", "three").await);
}

async fn a_replaced_token_is_recognised(db: TestDatabase) {
    let db = &db.connection;
    logged_in(db).await;
    assert!(rotate(db, "one", "two").await);
    let presented = async |hash| sessions::by_refresh_hash(db, hash).await.unwrap();
    assert!(
        matches!(presented("two").await, Some(Presented::Current(session)) if session.idle_expires_at == hours(11))
    );
    assert!(matches!(presented("one").await, Some(Presented::Previous(session)) if session.id == session_id()));
    assert_eq!(presented("three").await, None);
}

async fn a_session_ends_when_revoked_or_idle(db: TestDatabase) {
    let db = &db.connection;
    let user = logged_in(db).await;
    let authority = async |now| sessions::authority(db, user, session_id(), now).await.unwrap();
    assert_eq!(authority(hours(9)).await.map(|authority| authority.user), Some(user));
    assert_eq!(authority(hours(10)).await, None);
    let revoked = Revoked { at: hours(2), why: "logout".into() };
    assert_eq!(sessions::revoke_all(db, user, &revoked).await.unwrap(), 1);
    assert_eq!(authority(hours(3)).await, None);
    assert!(!rotate(db, "one", "two").await);
    let Some(Presented::Current(session)) = sessions::by_refresh_hash(db, "one").await.unwrap() else {
        panic!("a revoked session is still known")
    };
    assert!(session.revoked == Some(revoked) && !session.is_live(hours(3)));
}

async fn nobody_ends_a_strangers_session(db: TestDatabase) {
    let db = &db.connection;
    let user = logged_in(db).await;
    let revoked = Revoked { at: hours(2), why: "logout".into() };
    assert!(!sessions::revoke(db, user_id(2), session_id(), &revoked).await.unwrap());
    assert_eq!(sessions::authority(db, user_id(2), session_id(), hours(3)).await.unwrap(), None);
    assert!(sessions::revoke(db, user, session_id(), &revoked).await.unwrap());
    assert!(!sessions::revoke(db, user, session_id(), &revoked).await.unwrap());
}

async fn keys_come_newest_first(db: TestDatabase) {
    let db = &db.connection;
    for (kid, age) in [("old", 1), ("new", 2)] {
        let key = SigningKey {
            kid: kid.into(),
            sealed_private: vec![0, 255],
            public_jwk: "{}".into(),
            created_at: hours(age),
            retires_at: None,
        };
        sessions::add_key(db, &key).await.unwrap();
    }
    assert!(sessions::retire_key(db, "old", hours(9)).await.unwrap());
    let keys = sessions::keys(db).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!((keys[1].retires_at, &keys[0].sealed_private), (Some(hours(9)), &vec![0, 255]));
}
