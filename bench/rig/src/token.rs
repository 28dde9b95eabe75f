//! The text of one token: `@<13 digits: send time in µs>.<5 digits: position> `.
//!
//! The send time gives the added latency, the position tells that nothing was lost, doubled or swapped.
//! Every token has the same length, so that bytes per token never differ between runs.

use std::fmt::Write as _;

/// Bytes of one token's text.
pub const LENGTH: usize = 21;

/// Appends the text of the token at `position`, sent at `sent` µs.
pub fn write(text: &mut String, sent: u64, position: u32) {
    // Writing to a string cannot fail.
    let _ = write!(text, "@{sent:013}.{position:05} ");
}

/// Reads one token's text; `None` when it is not exactly one.
pub fn parse(text: &[u8]) -> Option<(u64, u32)> {
    let [b'@', rest @ .., b' '] = text else {
        return None;
    };
    if text.len() != LENGTH || rest[13] != b'.' {
        return None;
    }
    let sent = decimal(&rest[..13])?;
    let position = u32::try_from(decimal(&rest[14..])?).ok()?;
    Some((sent, position))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut text = String::new();
        write(&mut text, 1_234_567, 42);
        assert_eq!(text.len(), LENGTH);
        assert_eq!(parse(text.as_bytes()), Some((1_234_567, 42)));
    }

    #[test]
    fn anything_else_is_no_token() {
        for text in [
            "",
            "@ ",
            "@0000001234567.0004x ",
            "@0000001234567,00042 ",
            "hello",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
