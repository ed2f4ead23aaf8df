//! **The question:** how are 32 bytes written as text? As 64 lower-case digits, and in no other way, so that a text
//! means one thing.

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of 64 digits; `None` of any other text.
#[must_use]
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let bytes: [u8; 32] = std::array::from_fn(|n| (n as u8).wrapping_mul(9));
        assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
        for bad in ["", "0", &hex(&bytes[1..]), &hex(&bytes).to_uppercase(), &format!("{}+1", &hex(&bytes)[2..])] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
