//! The reading half of an HTTP/1.1 client, for bodies whose arrival in time matters.
//!
//! Ready-made clients hand out bytes when they see fit and do not tell a complete answer from a broken one
//! by the same words; here every byte is looked at as it comes, and an answer that just ends is an error.

use anyhow::{Context as _, Result, bail, ensure};

/// The longest response head that is read.
const MAX_HEAD: usize = 16 * 1024;

/// How the body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(usize),
    UntilClose,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    framing: Framing,
}

impl Head {
    /// Reads a head from the start of `bytes` and removes it; `None` when it is not complete yet.
    pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes).context("response head")? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => {
                ensure!(bytes.len() <= MAX_HEAD, "the response head is too long");
                return Ok(None);
            }
        };
        let status = response.code.context("no status")?;
        let mut framing = Framing::UntilClose;
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                ensure!(
                    header.value.eq_ignore_ascii_case(b"chunked"),
                    "unknown transfer encoding"
                );
                framing = Framing::Chunked;
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let value = std::str::from_utf8(header.value)?.trim();
                framing = Framing::Length(value.parse().context("content-length")?);
            }
        }
        bytes.drain(..length);
        Ok(Some(Self { status, framing }))
    }

    /// The reader of the body that follows.
    pub fn body(&self) -> Body {
        Body {
            framing: self.framing,
            seen: 0,
            ended: self.framing == Framing::Length(0),
        }
    }
}

/// Takes the framing off a body.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    seen: usize,
    ended: bool,
}

impl Body {
    /// Moves what is complete from `raw` to `plain`.
    pub fn decode(&mut self, raw: &mut Vec<u8>, plain: &mut Vec<u8>) -> Result<()> {
        match self.framing {
            Framing::Chunked => self.decode_chunks(raw, plain)?,
            Framing::Length(length) => {
                let take = raw.len().min(length - self.seen);
                plain.extend(raw.drain(..take));
                self.seen += take;
                self.ended = self.seen == length;
            }
            Framing::UntilClose => plain.append(raw),
        }
        Ok(())
    }

    fn decode_chunks(&mut self, raw: &mut Vec<u8>, plain: &mut Vec<u8>) -> Result<()> {
        let mut position = 0;
        while !self.ended {
            let Ok(parsed) = httparse::parse_chunk_size(&raw[position..]) else {
                bail!("a chunk's size is not a number");
            };
            let httparse::Status::Complete((line, size)) = parsed else {
                break;
            };
            let size = usize::try_from(size)?;
            let start = position + line;
            let Some(end) = start.checked_add(size) else {
                bail!("a chunk's size is absurd")
            };
            let Some(terminator) = raw.get(end..end + 2) else {
                break;
            };
            ensure!(terminator == b"\r\n", "a chunk does not end where it says");
            plain.extend_from_slice(&raw[start..end]);
            position = end + 2;
            self.ended = size == 0;
        }
        raw.drain(..position);
        Ok(())
    }

    /// Whether the whole body came.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Tells that the other side closed the connection; an error when the body was not complete.
    pub fn close(&mut self) -> Result<()> {
        ensure!(
            self.ended || self.framing == Framing::UntilClose,
            "the answer ended in the middle"
        );
        self.ended = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";

    fn read(pieces: &[&[u8]]) -> Result<(u16, String)> {
        let (mut raw, mut plain) = (Vec::new(), Vec::new());
        let mut state: Option<(u16, Body)> = None;
        for piece in pieces {
            raw.extend_from_slice(piece);
            if state.is_none() {
                state = Head::take(&mut raw)?.map(|head| (head.status, head.body()));
            }
            if let Some((_, body)) = &mut state {
                body.decode(&mut raw, &mut plain)?;
            }
        }
        let (status, mut body) = state.context("no head")?;
        body.close()?;
        Ok((status, String::from_utf8(plain)?))
    }

    #[test]
    fn a_chunked_body_is_read_however_it_is_cut() {
        for cut in 0..CHUNKED.len() {
            let (left, right) = CHUNKED.split_at(cut);
            assert_eq!(
                read(&[left, right]).unwrap(),
                (200, "hello world".to_owned()),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_length_is_obeyed() {
        let answer = b"HTTP/1.1 201 X\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(read(&[answer]).unwrap(), (201, "ok".to_owned()));
    }

    #[test]
    fn an_answer_that_just_ends_is_an_error() {
        assert!(read(&[&CHUNKED[..CHUNKED.len() - 5]]).is_err());
        assert!(read(&[b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"]).is_err());
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]).is_err());
        assert!(read(&[b"hello there\r\n\r\n"]).is_err());
    }
}
