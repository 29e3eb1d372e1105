//! The local store against a real folder.

use std::fs;

use chrono::TimeDelta;
use tempfile::TempDir;

use super::*;

const JPEG: &str = "image/jpeg";

fn store() -> (LocalObjects, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (handle_on(&folder), folder)
}

fn handle_on(folder: &TempDir) -> LocalObjects {
    LocalObjects::open(folder.path(), "http://127.0.0.1:1/sandbox/uploads/", &"signing secret".into()).unwrap()
}

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn grant(key: &str) -> UploadGrant {
    let expires_at = noon() + TimeDelta::minutes(10);
    UploadGrant { key: key.to_owned(), content_type: JPEG.to_owned(), length: 5, expires_at }
}

fn token(target: &UploadTarget) -> &str {
    target.url.rsplit_once('/').unwrap().1
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_stored_through_any_handle() {
    let (objects, folder) = store();
    objects.put("media/a/320.webp", b"pixels".to_vec(), "image/webp").await.unwrap();

    let other = handle_on(&folder);
    let found = other.get("media/a/320.webp", 100).await.unwrap().unwrap();
    assert_eq!(found, Object { bytes: b"pixels".to_vec(), content_type: "image/webp".to_owned() });
    let head = other.head("media/a/320.webp").await.unwrap().unwrap();
    assert_eq!(head, ObjectHead { bytes: 6, content_type: "image/webp".to_owned() });
}

#[tokio::test]
async fn a_second_put_replaces_the_whole_file() {
    let (objects, folder) = store();
    objects.put("a", b"a long first version".to_vec(), JPEG).await.unwrap();
    objects.put("a", b"short".to_vec(), "image/png").await.unwrap();

    let found = objects.get("a", 100).await.unwrap().unwrap();
    assert_eq!((found.bytes.as_slice(), found.content_type.as_str()), (b"short".as_slice(), "image/png"));
    assert_eq!(fs::read_dir(folder.path().join("unfinished")).unwrap().count(), 0, "no half-written file is left");
}

#[tokio::test]
async fn what_is_not_there_is_absent_and_may_be_deleted() {
    let (objects, _folder) = store();
    objects.put("a/b", b"x".to_vec(), JPEG).await.unwrap();
    for absent in ["c", "a", "a/b/c", "a/c"] {
        assert_eq!(objects.get(absent, 10).await.unwrap(), None, "{absent}");
        assert_eq!(objects.head(absent).await.unwrap(), None, "{absent}");
    }
    for _ in 0..2 {
        objects.delete("a/b").await.unwrap();
        assert_eq!(objects.get("a/b", 10).await.unwrap(), None);
    }
    assert_eq!(objects.list("").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_file_larger_than_the_reader_allows_is_not_read() {
    let (objects, _folder) = store();
    objects.put("a", vec![0; 11], JPEG).await.unwrap();
    assert!(matches!(objects.get("a", 10).await, Err(Error::Misconfigured { .. })));
    assert!(objects.get("a", 11).await.unwrap().is_some());
}

#[tokio::test]
async fn files_are_listed_by_the_start_of_their_key() {
    let (objects, _folder) = store();
    for key in ["media/b/1.jpg", "media/a/2.jpg", "media/a/1.jpg", "media/ab", "incoming/x"] {
        objects.put(key, b"x".to_vec(), JPEG).await.unwrap();
    }
    let list = async |prefix: &str| objects.list(prefix).await.unwrap();
    assert_eq!(list("media/a").await, ["media/a/1.jpg", "media/a/2.jpg", "media/ab"]);
    assert_eq!(list("media/a/").await, ["media/a/1.jpg", "media/a/2.jpg"]);
    assert_eq!(list("nothing/").await, [""; 0]);
    assert_eq!(list("").await.len(), 5);
}

#[tokio::test]
async fn no_key_leads_out_of_the_store() {
    let (objects, folder) = store();
    fs::write(folder.path().join("outside"), "secret").unwrap();
    let ways_out = [
        "../outside",
        "a/../../outside",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a//b",
        "a/",
        "/a",
        ".hidden",
        "a/.b",
        "a\\b",
        "a\0b",
        "a b",
        "é",
        "%2e%2e/outside",
        "C:x",
        "a\n",
    ];
    for key in ways_out {
        assert!(objects.put(key, b"x".to_vec(), JPEG).await.is_err(), "put {key:?}");
        assert!(objects.get(key, 100).await.is_err(), "get {key:?}");
        assert!(objects.head(key).await.is_err(), "head {key:?}");
        assert!(objects.delete(key).await.is_err(), "delete {key:?}");
        assert!(objects.presign_put(&grant(key)).is_err(), "presign {key:?}");
    }
    assert!(objects.list("../").await.is_err() && objects.list("a/../").await.is_err());
    assert!(!is_object_key(&"a".repeat(513)));
    assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "secret");
}

#[tokio::test]
async fn an_upload_that_keeps_to_its_permission_is_stored() {
    let (objects, _folder) = store();
    let target = objects.presign_put(&grant("incoming/one")).unwrap();

    assert_eq!(target.method, "PUT");
    assert!(target.url.starts_with("http://127.0.0.1:1/sandbox/uploads/"), "{}", target.url);
    assert!(target.headers.contains(&("content-type".to_owned(), JPEG.to_owned())));
    let key = objects.accept_upload(token(&target), JPEG, b"12345".to_vec(), noon()).await.unwrap();

    assert_eq!(key, "incoming/one");
    assert_eq!(objects.get(&key, 10).await.unwrap().unwrap().bytes, b"12345");
}

#[tokio::test]
async fn an_upload_that_strays_from_its_permission_is_refused_and_leaves_nothing() {
    let (objects, _folder) = store();
    let target = objects.presign_put(&grant("incoming/one")).unwrap();
    let upload = async |token: &str, kind: &str, body: &[u8], at| {
        objects.accept_upload(token, kind, body.to_vec(), at).await.unwrap_err()
    };
    let token = token(&target);

    let wrong_type = UploadRefused::WrongType { agreed: JPEG.to_owned() };
    let wrong_length = UploadRefused::WrongLength { agreed: 5 };
    assert_eq!(upload(token, "text/html", b"12345", noon()).await, wrong_type);
    assert_eq!(upload(token, JPEG, b"1234", noon()).await, wrong_length);
    assert_eq!(upload(token, JPEG, b"123456", noon()).await, wrong_length);
    assert_eq!(upload(token, JPEG, b"12345", target.expires_at).await, UploadRefused::Expired);
    assert_eq!(objects.list("").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_permission_cannot_be_forged_or_stretched() {
    let (objects, folder) = store();
    let ours = token(&objects.presign_put(&grant("incoming/one")).unwrap()).to_owned();
    let (said, signature) = ours.split_once('.').unwrap();
    let stranger = LocalObjects::open(folder.path(), "http://127.0.0.1:1", &"another secret".into()).unwrap();
    let theirs = token(&stranger.presign_put(&grant("incoming/one")).unwrap()).to_owned();
    let elsewhere = objects.presign_put(&grant("media/stolen")).unwrap();
    let (other_said, _) = token(&elsewhere).split_once('.').unwrap();

    let forged = [format!("{other_said}.{signature}"), format!("{said}."), theirs, said.to_owned(), String::new()];
    for token in forged {
        assert_eq!(objects.grant(&token, noon()), Err(UploadRefused::Forged), "{token}");
    }
    for at in 0..ours.len() {
        let mut spoilt = ours.clone().into_bytes();
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(spoilt).unwrap();
        assert_eq!(objects.grant(&spoilt, noon()), Err(UploadRefused::Forged), "byte {at}");
    }
    assert_eq!(objects.grant(&ours, noon()), Ok(grant("incoming/one")));
}

#[tokio::test]
async fn readers_never_see_half_a_file_while_it_is_replaced() {
    let (objects, folder) = store();
    let versions = [vec![b'a'; 200_000], vec![b'b'; 100_000]];
    objects.put("a", versions[0].clone(), JPEG).await.unwrap();

    let writer = handle_on(&folder);
    let writing = {
        let versions = versions.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                writer.put("a", versions[round % 2].clone(), JPEG).await.unwrap();
            }
        })
    };
    while !writing.is_finished() {
        let seen = objects.get("a", 1_000_000).await.unwrap().expect("the file is always there").bytes;
        assert!(versions.contains(&seen), "a reader saw {} bytes of a mixture", seen.len());
    }
    writing.await.unwrap();
}
