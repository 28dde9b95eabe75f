//! What a field of a form calls its file: `Content-Disposition`, as browsers and everybody else write it.

use http::{HeaderMap, header};
use percent_encoding::percent_decode;

/// The file's name, or nothing. `filename*` (RFC 8187) wins, as in RFC 6266; forms should not have it (RFC 7578 §4.2), and
/// some libraries write it all the same. A name that is not UTF-8 is Latin-1.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let Some(disposition) = headers.get(header::CONTENT_DISPOSITION) else {
        return String::new();
    };
    let (mut plain, mut extended) = (None, None);
    for (name, value) in Parameters(disposition.as_bytes()) {
        if name.eq_ignore_ascii_case(b"filename*") {
            extended = extended.or_else(|| read_extended(&value));
        } else if name.eq_ignore_ascii_case(b"filename") {
            plain = plain.or_else(|| Some(text(value)));
        }
    }
    extended.or(plain).unwrap_or_default()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| latin1(error.as_bytes()))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// `charset'language'text`, the text percent-encoded.
fn read_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin1(&bytes))
    } else {
        None
    }
}

/// The parameters of a header field, after its first word: `; name=value; name="value"`.
struct Parameters<'a>(&'a [u8]);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        let begin = position(self.0, b';')? + 1;
        let equals = begin + position(&self.0[begin..], b'=')?;
        let name = self.0[begin..equals].trim_ascii();
        let rest = self.0[equals + 1..].trim_ascii_start();
        let (value, rest) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            read_quoted(quoted)
        } else {
            let end = position(rest, b';').unwrap_or(rest.len());
            (rest[..end].trim_ascii().to_vec(), &rest[end..])
        };
        self.0 = rest;
        Some((name, value))
    }
}

/// A text up to its closing quote. Only a quote is escaped: Internet Explorer's paths had their backslashes bare, and
/// browsers never escape one.
fn read_quoted(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut rest = quoted;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => break,
            b'\\' if after.first() == Some(&b'"') => {
                value.push(b'"');
                rest = &after[1..];
            }
            other => value.push(*other),
        }
    }
    (value, rest)
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn name(disposition: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(disposition).unwrap();
        headers.insert(header::CONTENT_DISPOSITION, value);
        of(&headers)
    }

    #[test]
    fn names_are_read_however_they_are_written() {
        for (disposition, expected) in [
            (
                &b"form-data; name=\"file\"; filename=\"a b.txt\""[..],
                "a b.txt",
            ),
            (b"form-data; filename=\"a.txt\"; name=\"file\"", "a.txt"),
            (b"form-data; name=file; filename=a.txt", "a.txt"),
            (b"Form-Data; Name=file; FileName = a.txt ; x=y", "a.txt"),
            (
                "form-data; filename=\"\u{dc}bersicht \u{6771}.txt\"".as_bytes(),
                "\u{dc}bersicht \u{6771}.txt",
            ),
            (
                b"form-data; filename=\"\xdcbersicht.txt\"",
                "\u{dc}bersicht.txt",
            ),
            (
                b"form-data; filename*=UTF-8''%C3%9Cbersicht%20%E6%9D%B1.txt",
                "\u{dc}bersicht \u{6771}.txt",
            ),
            (b"form-data; filename*=iso-8859-1'de'%DC.txt", "\u{dc}.txt"),
            (
                b"form-data; filename=\"U.txt\"; filename*=utf-8'en'%C3%9C.txt",
                "\u{dc}.txt",
            ),
            (
                b"form-data; filename*=utf-8''%C3%9C.txt; filename=\"U.txt\"",
                "\u{dc}.txt",
            ),
            // What cannot be read does not hide what can.
            (
                b"form-data; filename*=utf-8''%FF; filename=\"U.txt\"",
                "U.txt",
            ),
            (
                b"form-data; filename*=klingon''%41; filename=\"U.txt\"",
                "U.txt",
            ),
            (b"form-data; filename*=utf-8; filename=\"U.txt\"", "U.txt"),
            (
                b"form-data; filename=\"a\\\"b; filename=c.txt\"",
                "a\"b; filename=c.txt",
            ),
            (
                b"form-data; filename=\"C:\\fakepath\\a.txt\"",
                "C:\\fakepath\\a.txt",
            ),
            (b"form-data; name=\"filename=x\"", ""),
            (b"form-data; name=\"x; filename=y\"; filename=\"z\"", "z"),
            (b"form-data; filename=\"no end", "no end"),
            (b"form-data; filename=\"\"", ""),
            (b"form-data", ""),
        ] {
            let shown = String::from_utf8_lossy(disposition);
            assert_eq!(name(disposition), expected, "{shown}");
        }
        assert_eq!(of(&HeaderMap::new()), "");
    }
}
