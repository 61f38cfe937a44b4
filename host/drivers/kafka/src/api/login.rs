//! Requests of a login.

use super::Api;
use crate::wire::{Odd, Reader, Writer};

/// The choice of a mechanism.
pub(crate) struct SaslHandshake<'a>(pub &'a str);

impl Api for SaslHandshake<'_> {
    const KEY: i16 = 17;
    const VERSION: i16 = 1;
    /// An error, and the mechanisms that the broker has.
    type Answer = (i16, Vec<String>);

    fn write(&self, out: &mut Writer) {
        out.string(self.0);
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        Ok((answer.i16()?, answer.array(Reader::string)?))
    }
}

/// One message of a mechanism.
pub(crate) struct SaslAuthenticate<'a>(pub &'a [u8]);

impl Api for SaslAuthenticate<'_> {
    const KEY: i16 = 36;
    const VERSION: i16 = 0;
    /// An error, and the message of the broker.
    type Answer = (i16, Vec<u8>);

    fn write(&self, out: &mut Writer) {
        out.bytes(self.0);
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        let error = answer.i16()?;
        answer.nullable()?;
        Ok((error, answer.bytes()?.to_vec()))
    }
}
