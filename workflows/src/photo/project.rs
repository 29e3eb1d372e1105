//! The row of a photograph: how far it is, and what pages need to show it.

use engine::{Changed, Project, ProjectError, Tx};
use sea_orm::DbErr;
use store::images::{self, Found, Image, Variant};

use super::{File, Photo, Picture, State, Upload, file_key};

impl Project<Tx> for Photo {
    type Error = DbErr;

    const ROWS: &'static [(&'static str, &'static str)] = &[("property_image", "id")];

    async fn project(tx: &Tx, changed: &[Changed<Self>]) -> Result<(), ProjectError<DbErr>> {
        let rows: Vec<Image> = changed.iter().map(row).collect();
        Ok(images::put(&**tx, &rows).await?)
    }
}

fn row(changed: &Changed<Photo>) -> Image {
    let Upload { image, property, content_type, bytes, made_at } = changed.input.clone();
    let (picture, failure) = match changed.state.clone() {
        State::Processing => (None, None),
        State::Ready { picture } => (Some(picture), None),
        State::Failed { code } => (None, Some(code)),
    };
    Image {
        id: image,
        property,
        status: changed.state.status(),
        // Its place and caption are the host's, and stay as the host's own row has them.
        position: 0,
        caption: None,
        content_type,
        bytes,
        found: picture.as_ref().map(found),
        variants: picture
            .iter()
            .flat_map(|picture| &picture.variants)
            .map(|file| variant(&changed.input, file))
            .collect(),
        failure,
        created_at: made_at,
        updated_at: changed.at,
    }
}

fn found(picture: &Picture) -> Found {
    let Picture { width, height, blurhash, sha256, .. } = picture.clone();
    Found { sha256, width, height, blurhash }
}

fn variant(upload: &Upload, file: &File) -> Variant {
    let File { name, width, height, content_type, bytes } = file.clone();
    Variant { key: file_key(upload.image, &name), name, content_type, width, height, bytes }
}
