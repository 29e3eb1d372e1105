//! The object store against the rows: no photograph without its files, no file without its photograph.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use domain::ImageId;
use integrations::objects::ObjectStore;
use serde_json::Value;
use uuid::Uuid;

use super::{Found, Scene};

pub(crate) async fn belong(scene: &Scene<'_>, found: &mut Found) -> Result<()> {
    let rows = rows(scene).await?;
    for image in &scene.heard.photos {
        let status = rows.get(image).map_or("nothing", |row| row.status.as_str());
        found.expect(status == "ready", || format!("{image} was taken in and is {status}"));
    }
    let files: BTreeSet<String> = scene.witness.objects.list("media/").await?.into_iter().collect();
    let mut wanted = BTreeSet::new();
    for (image, row) in rows.iter().filter(|(_, row)| row.status == "ready") {
        found.expect(!row.files.is_empty(), || format!("{image} is ready and was made into nothing"));
        wanted.extend(row.files.iter().map(|name| format!("media/{image}/{name}")));
    }
    for missing in wanted.difference(&files) {
        found.add(format!("{missing} is shown and is not there"));
    }
    for stray in files.difference(&wanted) {
        found.add(format!("{stray} belongs to no photograph"));
    }
    Ok(())
}

struct Row {
    status: String,
    files: Vec<String>,
}

async fn rows(scene: &Scene<'_>) -> Result<BTreeMap<ImageId, Row>> {
    let mut images = BTreeMap::new();
    for row in scene.witness.rows("select id, status, variants from property_image").await? {
        let id = ImageId::from_uuid(row.try_get_by_index::<Uuid>(0)?);
        let variants: Vec<Value> = serde_json::from_str(&row.try_get_by_index::<String>(2)?)?;
        let name = |variant: &Value| variant["name"].as_str().map(str::to_owned).context("a file has a name");
        let files = variants.iter().map(name).collect::<Result<_>>()?;
        images.insert(id, Row { status: row.try_get_by_index(1)?, files });
    }
    Ok(images)
}
