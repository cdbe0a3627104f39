//! The pieces of a tar file, one after the other, for whoever writes as it goes.

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use tar::{EntryType, Header};

use crate::error::{Error, Result};

/// Everything in a tar file comes in blocks of this size.
const BLOCK_BYTES: usize = 512;
/// Whoever unpacks it may read it, and nobody else.
const MODE: u32 = 0o600;

/// One file of the archive: its header, its content, and zeros up to the next block.
pub(super) fn file(path: &str, content: &[u8], at: DateTime<Utc>) -> Result<Bytes> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(Error::internal)?;
    header.set_size(u64::try_from(content.len()).map_err(Error::internal)?);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(MODE);
    header.set_mtime(u64::try_from(at.timestamp()).unwrap_or_default());
    header.set_cksum();
    let padding = content.len().next_multiple_of(BLOCK_BYTES) - content.len();
    let mut piece = BytesMut::with_capacity(BLOCK_BYTES + content.len() + padding);
    piece.put_slice(header.as_bytes());
    piece.put_slice(content);
    piece.put_bytes(0, padding);
    Ok(piece.freeze())
}

/// What a tar file ends with.
pub(super) fn end() -> Bytes {
    Bytes::from_static(&[0; 2 * BLOCK_BYTES])
}
