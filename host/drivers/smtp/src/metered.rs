//! A connection that carries no more of its peer's bytes than are worth reading.

use wythe_blocks::Measure;

/// Bytes that are left. One buffer more is read, and then it fails.
pub(super) struct Left(pub usize);

impl Measure for Left {
    fn pass(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.0 == 0 {
            return Err("the server sent more bytes than a whole mail needs".to_owned());
        }
        self.0 = self.0.saturating_sub(bytes.len());
        Ok(())
    }
}
