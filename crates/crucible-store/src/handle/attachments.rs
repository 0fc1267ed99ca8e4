//! Handing over files that are no notes.

use async_trait::async_trait;
use bytes::Bytes;
use crucible_services::attachments::Attachments;
use crucible_services::data_store::Error;

use crate::facts::file::FileRow;
use crate::schema::FileKind;
use crate::store::Store;

#[async_trait]
impl Attachments for Store {
    async fn attachment(&self, path: &str, bytes_max: u64) -> Result<Bytes, Error> {
        let wanted = path.to_owned();
        let row = self
            .inner
            .readers
            .read(move |connection| Ok(FileRow::at(connection, &wanted)?))
            .await?;
        let Some(row) = row.filter(|row| row.kind == FileKind::Attachment) else {
            return Err(Error::NotFound {
                reference: path.to_owned(),
                candidates: Vec::new(),
            });
        };
        if row.stamp.size > bytes_max {
            return Err(too_large(path, row.stamp.size, bytes_max));
        }
        let bytes = self.inner.source.read(&row.path).await?;
        // It may have grown since the index saw it.
        match bytes.len() as u64 {
            size if size > bytes_max => Err(too_large(path, size, bytes_max)),
            _ => Ok(bytes),
        }
    }
}

fn too_large(path: &str, size: u64, bytes_max: u64) -> Error {
    Error::InvalidQuery {
        message: format!(
            "{path:?} has {size} bytes, and at most {bytes_max} are handed over; open the file itself"
        ),
    }
}
