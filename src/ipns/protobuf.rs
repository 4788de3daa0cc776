//! The protobuf wire format, as far as keys and records need it (protobuf.dev, "Encoding").
//!
//! Must not know what the fields mean. The reader borrows, allocates nothing and never goes back.

/// The wire types of a field: a number, 8 bytes, bytes after their length, 4 bytes.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field here has.
    Fixed,
}

impl<'a> Value<'a> {
    pub(super) const fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    pub(super) const fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// Reads the fields of an untrusted message one by one: their numbers and what they hold. Ends after the first error.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or("it ends inside a number")?;
            self.rest = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than 64 bits")
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or("it ends inside a field")?;
        self.rest = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), &'static str> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            VARINT => Value::Number(self.varint()?),
            LENGTH_DELIMITED => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            FIXED_64 => self.take(8).map(|_| Value::Fixed)?,
            FIXED_32 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err("a field has an unknown wire type"),
        };
        if tag >> 3 == 0 { Err("a field has the number 0") } else { Ok((tag >> 3, value)) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that is a number.
pub(super) fn write_number(out: &mut Vec<u8>, field: u64, number: u64) {
    write_varint(out, field << 3 | VARINT);
    write_varint(out, number);
}

/// Appends a field that is bytes.
pub(super) fn write_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    write_varint(out, field << 3 | LENGTH_DELIMITED);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, &'static str> {
        Fields::of(message).collect()
    }

    #[test]
    fn what_no_message_has() {
        for (message, why) in [
            (&[0x80][..], "it ends inside a number"),
            (&[0x08], "it ends inside a number"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "a number has more than 64 bits"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81], "a number has more than 64 bits"),
            (&[0x0a, 2, b'x'], "it ends inside a field"),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "it ends inside a field"),
            (&[0x09, 1, 2, 3, 4, 5, 6, 7], "it ends inside a field"),
            (&[0x0b, 0x0c], "a field has an unknown wire type"),
            (&[0x00, 0x00], "a field has the number 0"),
        ] {
            assert_eq!(read(message), Err(why), "{message:?}");
        }
        assert_eq!(read(&[0x0d, 1, 2, 3, 4, 0x08, 0xac, 0x02]), Ok(vec![(1, Value::Fixed), (1, Value::Number(300))]));
        assert_eq!(Fields::of(&[0x0b, 0x08, 0x01]).count(), 1, "an error ends it");
    }

    proptest! {
        #[test]
        fn fields_round_trip(fields in prop::collection::vec(
            (1..1_u64 << 29, prop_oneof![any::<u64>().prop_map(Ok), any::<Vec<u8>>().prop_map(Err)]), 0..8,
        )) {
            let mut message = Vec::new();
            for (number, value) in &fields {
                match value {
                    Ok(value) => write_number(&mut message, *number, *value),
                    Err(bytes) => write_bytes(&mut message, *number, bytes),
                }
            }
            let wanted: Vec<_> = fields
                .iter()
                .map(|(number, value)| (*number, value.as_ref().map_or_else(|bytes| Value::Bytes(bytes), |value| Value::Number(*value))))
                .collect();
            prop_assert_eq!(read(&message), Ok(wanted));
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes: Vec<u8>) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
        }
    }
}
