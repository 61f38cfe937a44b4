//! The primitive types of the protocol, written and read. Numbers are in network order.

use wythe_blocks::Error;

/// An answer that does not have the shape that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Odd(pub &'static str);

impl From<Odd> for Error {
    fn from(odd: Odd) -> Self {
        Error::internal(
            "the broker's answer does not have the shape that it must have; is it Kafka?",
        )
        .with_source(odd.0)
    }
}

/// Items of an array: brokers, partitions of a topic, members of a group. What the host does with them takes as many steps, or
/// the square of that, and with each broker perhaps a connection.
const ITEMS: i32 = 20_000;

/// The bytes of a request.
#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn i8(&mut self, number: i8) {
        self.0.extend(number.to_be_bytes());
    }

    pub fn i16(&mut self, number: i16) {
        self.0.extend(number.to_be_bytes());
    }

    pub fn i32(&mut self, number: i32) {
        self.0.extend(number.to_be_bytes());
    }

    pub fn i64(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    pub fn string(&mut self, text: &str) {
        // Whoever checks names and texts bounds them far below this.
        let text = &text.as_bytes()[..text.floor_char_boundary(i16::MAX as usize)];
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend(text);
    }

    pub fn nullable(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.i16(-1),
        }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend(bytes);
    }

    pub fn array<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.count(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn count(&mut self, count: usize) {
        self.i32(i32::try_from(count).unwrap_or(i32::MAX));
    }

    /// A number in zigzag form, of 1 to 10 bytes.
    pub fn varint(&mut self, number: i64) {
        let mut left = ((number << 1) ^ (number >> 63)) as u64;
        while left > 0x7f {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    /// Bytes after their length as a varint, which is -1 for none.
    pub fn var_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.varint(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
                self.0.extend(bytes);
            }
            None => self.varint(-1),
        }
    }
}

/// The part of an answer that is not read yet.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Odd> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Odd("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Odd> {
        let mut number = [0; N];
        number.copy_from_slice(self.take(N)?);
        Ok(number)
    }

    pub fn i8(&mut self) -> Result<i8, Odd> {
        Ok(i8::from_be_bytes(self.number()?))
    }

    pub fn i16(&mut self) -> Result<i16, Odd> {
        Ok(i16::from_be_bytes(self.number()?))
    }

    pub fn i32(&mut self) -> Result<i32, Odd> {
        Ok(i32::from_be_bytes(self.number()?))
    }

    pub fn i64(&mut self) -> Result<i64, Odd> {
        Ok(i64::from_be_bytes(self.number()?))
    }

    pub fn nullable(&mut self) -> Result<Option<String>, Odd> {
        let Ok(length) = usize::try_from(self.i16()?) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(self.take(length)?);
        Ok(Some(
            text.map_err(|_| Odd("a text is no UTF-8"))?.to_owned(),
        ))
    }

    pub fn string(&mut self) -> Result<String, Odd> {
        self.nullable()?.ok_or(Odd("a text is missing"))
    }

    /// Bytes after their length; empty where they are null.
    pub fn bytes(&mut self) -> Result<&'a [u8], Odd> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length),
            Err(_) => Ok(&[]),
        }
    }

    /// An array, which is empty where it is null. It grows by what is there, and not by what its length promises, up to
    /// [`ITEMS`].
    pub fn array<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Odd>,
    ) -> Result<Vec<T>, Odd> {
        let count = self.i32()?;
        if count > ITEMS {
            return Err(Odd("an array has too many items"));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            if self.0.is_empty() {
                return Err(Odd("an array ends early"));
            }
            items.push(read(self)?);
        }
        Ok(items)
    }

    pub fn varint(&mut self) -> Result<i64, Odd> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(Odd("a number is too long"))
    }

    pub fn var_bytes(&mut self) -> Result<Option<&'a [u8]>, Odd> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        for number in [0, 1, -1, 63, 64, -65, 1 << 40, i64::MAX, i64::MIN] {
            let mut writer = Writer::default();
            writer.varint(number);
            writer.i64(number);
            let mut reader = Reader(&writer.0);
            assert_eq!(reader.varint(), Ok(number));
            assert_eq!(reader.i64(), Ok(number));
            assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn texts_and_arrays_come_back_as_they_were() {
        let mut writer = Writer::default();
        writer.array(["a", "\u{e4}", ""].iter(), |writer, text| {
            writer.string(text)
        });
        writer.nullable(None);
        writer.bytes(b"\0\xff");
        writer.var_bytes(None);
        let mut reader = Reader(&writer.0);
        let texts = reader.array(Reader::string);
        assert_eq!(texts.unwrap(), ["a", "\u{e4}", ""]);
        assert_eq!(reader.nullable(), Ok(None));
        assert_eq!(reader.bytes(), Ok(&b"\0\xff"[..]));
        assert_eq!(reader.var_bytes(), Ok(None));
    }

    #[test]
    fn what_ends_early_or_promises_too_much_is_refused() {
        let long = Reader(&[0x7f, 0xff, 0xff, 0xff]).array(|reader| reader.take(0).map(drop));
        assert!(long.is_err());
        let bytes = [&(ITEMS + 1).to_be_bytes()[..], &vec![0; ITEMS as usize + 1]].concat();
        let many = Reader(&bytes).array(|reader| reader.take(1).map(drop));
        assert!(
            many.is_err(),
            "it has as many as it promises, and these are too many"
        );
        assert!(Reader(&[0, 9, b'a']).string().is_err());
        assert!(Reader(&[0xff, 0xff]).string().is_err());
        assert!(Reader(&[0, 1, 0xff]).string().is_err());
        assert!(Reader(&[0x80; 11]).varint().is_err());
        assert!(Reader(&[8, b'a']).var_bytes().is_err());
    }
}
