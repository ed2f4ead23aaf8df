//! **The question:** how does AMF0 write words and numbers (Adobe, Action Message Format AMF0, 2007), and what does
//! somebody else's say? What is read is bounded in depth and in count.

use crate::base::limits;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Amf {
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// Text.
    String(String),
    /// Names and their values.
    Object(Vec<(String, Amf)>),
    /// The same, with a count before it that nobody heeds.
    Array(Vec<(String, Amf)>),
    /// Values in order.
    List(Vec<Amf>),
    /// Nothing.
    Null,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// It ends in the middle.
    #[error("AMF0 is cut short")]
    Short,
    /// Of a kind that no server sends a publisher, or no UTF-8.
    #[error("AMF0 holds what is not read")]
    Unknown,
    /// There is more of it than any server says.
    #[error("AMF0 holds too much")]
    Excess,
}

impl Amf {
    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::String(text.to_owned())
    }

    /// Names and their values.
    #[must_use]
    pub fn object<const N: usize>(values: [(&str, Self); N]) -> Self {
        Self::Object(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The value of that name, if it is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (Self::Object(values) | Self::Array(values)) = self else { return None };
        values.iter().find(|(has, _)| has == name).map(|(_, value)| value)
    }

    /// Appends the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(0);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Boolean(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            Self::String(text) => write_text(text, out),
            Self::Object(values) => {
                out.push(3);
                write_values(values, out);
            }
            Self::Null => out.push(5),
            Self::Array(values) => {
                out.push(8);
                out.extend_from_slice(&count(values.len()));
                write_values(values, out);
            }
            Self::List(values) => {
                out.push(10);
                out.extend_from_slice(&count(values.len()));
                values.iter().for_each(|value| value.write(out));
            }
        }
    }

    /// Reads all values of a text.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn read_all(text: &[u8]) -> Result<Vec<Self>, AmfError> {
        let (mut reader, mut values) = (Reader { rest: text, count: 0 }, Vec::new());
        while !reader.rest.is_empty() {
            values.push(reader.value(0)?);
        }
        Ok(values)
    }
}

fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("what is written here has few values").to_be_bytes()
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    match u16::try_from(text.len()) {
        Ok(length) => {
            out.push(2);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(12);
            out.extend_from_slice(&count(text.len()));
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn write_values(values: &[(String, Amf)], out: &mut Vec<u8>) {
    for (name, value) in values {
        let length = u16::try_from(name.len()).expect("names are words of ours");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        value.write(out);
    }
    out.extend_from_slice(&[0, 0, 9]);
}

struct Reader<'a> {
    rest: &'a [u8],
    count: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Amf, AmfError> {
        self.count += 1;
        if depth > limits::AMF_DEPTH_MAX || self.count > limits::AMF_VALUES_MAX {
            return Err(AmfError::Excess);
        }
        match self.take::<1>()?[0] {
            0 => Ok(Amf::Number(f64::from_be_bytes(self.take()?))),
            1 => Ok(Amf::Boolean(self.take::<1>()?[0] != 0)),
            2 => Ok(Amf::String(self.short_text()?)),
            3 => Ok(Amf::Object(self.values(depth)?)),
            // Null, undefined and unsupported.
            5 | 6 | 13 => Ok(Amf::Null),
            8 => {
                self.take::<4>()?;
                Ok(Amf::Array(self.values(depth)?))
            }
            10 => {
                let count = u32::from_be_bytes(self.take()?) as usize;
                if count > limits::AMF_VALUES_MAX {
                    return Err(AmfError::Excess);
                }
                (0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Amf::List)
            }
            // A date: milliseconds and a zone.
            11 => {
                let date = f64::from_be_bytes(self.take()?);
                self.take::<2>()?;
                Ok(Amf::Number(date))
            }
            12 => {
                let length = u32::from_be_bytes(self.take()?) as usize;
                Ok(Amf::String(self.text(length)?))
            }
            _ => Err(AmfError::Unknown),
        }
    }

    fn values(&mut self, depth: usize) -> Result<Vec<(String, Amf)>, AmfError> {
        let mut values = Vec::new();
        loop {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first() == Some(&9) {
                self.take::<1>()?;
                return Ok(values);
            }
            values.push((name, self.value(depth + 1)?));
        }
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = u16::from_be_bytes(self.take()?);
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(AmfError::Short)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).map_err(|_| AmfError::Unknown)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(AmfError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    fn written(value: &Amf) -> Vec<u8> {
        let mut out = Vec::new();
        value.write(&mut out);
        out
    }

    fn everything() -> Amf {
        Amf::object([
            ("app", Amf::text("live")),
            ("n", Amf::Number(-1.5)),
            ("yes", Amf::Boolean(true)),
            ("list", Amf::List(vec![Amf::text("av01"), Amf::Null])),
            ("map", Amf::Array(vec![("long".to_owned(), Amf::text(&"x".repeat(70_000)))])),
        ])
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = written(&everything());
        assert_eq!(Amf::read_all(&bytes), Ok(vec![everything()]));
        assert_eq!(everything().get("app").and_then(Amf::as_text), Some("live"));
        assert_eq!(everything().get("n").and_then(Amf::as_number), Some(-1.5));
        for cut in 1..bytes.len().min(200) {
            assert_eq!(Amf::read_all(&bytes[..cut]), Err(AmfError::Short), "{cut}");
        }
        // The example of AMF0's section 2.2 and of RTMP's 7.2.1: a name, and a transaction's number.
        assert_eq!(written(&Amf::text("connect")), b"\x02\x00\x07connect");
        assert_eq!(written(&Amf::Number(1.0)), [0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn nothing_that_a_server_says_is_read_without_end() {
        let deep = [3, 0, 1, b'a'].repeat(limits::AMF_DEPTH_MAX + 2);
        assert_eq!(Amf::read_all(&deep), Err(AmfError::Excess));
        assert_eq!(Amf::read_all(&vec![5; limits::AMF_VALUES_MAX + 1]), Err(AmfError::Excess));
        assert_eq!(Amf::read_all(&[10, 255, 255, 255, 255]), Err(AmfError::Excess));
        assert_eq!(Amf::read_all(&[12, 255, 255, 255, 255]), Err(AmfError::Short));
        let mut mutator = Mutator::new(11);
        let right = [written(&Amf::object([("a", Amf::text("b")), ("c", Amf::List(vec![Amf::Number(1.0)]))]))];
        for _ in 0..rounds() {
            let _ = Amf::read_all(&mutator.bytes(&right));
        }
    }
}
