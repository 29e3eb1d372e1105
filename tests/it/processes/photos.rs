//! Photographs: an upload becomes files, or says why not.

use domain::ImageId;
use engine::Origin;
use harness::picture::PIXEL;
use harness::{TestDatabase, on_both};
use store::ImageStatus;
use store::images::{self, Image};
use workflows::photo::{Photo, Upload, run_of, upload_key};

use super::market::{HOME, Market};

async fn processed(market: &Market, content: Option<&[u8]>) -> Image {
    let image = ImageId::from_uuid(uuid::Uuid::from_u128(0x0196_8b2e_0000_7000_8000_0000_0000_0777));
    let now = market.engine.now().await.unwrap();
    if let Some(content) = content {
        market.objects.put(&upload_key(image), content.to_vec(), "image/png").await.unwrap();
    }
    let upload = Upload { image, property: HOME, content_type: "image/png".to_owned(), bytes: 67, made_at: now };
    market.engine.start::<Photo>(run_of(image), &image.to_string(), &upload, Origin::default()).await.unwrap();
    market.settle().await;
    images::of_anybody(&market.db.connection, image).await.unwrap().unwrap()
}

async fn an_upload_becomes_files(db: TestDatabase) {
    let market = Market::open(db).await;
    let image = processed(&market, Some(PIXEL)).await;
    assert_eq!((image.status, image.failure), (ImageStatus::Ready, None));
    assert_eq!(image.variants.len(), 6);
    for variant in image.variants {
        let head = market.objects.head(&variant.key).await.unwrap().expect("every file is kept");
        assert_eq!(head.bytes, variant.bytes);
    }
}

async fn what_is_no_photograph_says_so(db: TestDatabase) {
    let market = Market::open(db).await;
    let image = processed(&market, Some(b"not a picture")).await;
    assert_eq!((image.status, image.failure.as_deref()), (ImageStatus::Failed, Some("unsupported_format")));
}

async fn an_upload_that_never_came_says_so(db: TestDatabase) {
    let market = Market::open(db).await;
    let image = processed(&market, None).await;
    assert_eq!((image.status, image.failure.as_deref()), (ImageStatus::Failed, Some("upload_missing")));
}

on_both!(an_upload_becomes_files, what_is_no_photograph_says_so, an_upload_that_never_came_says_so);
