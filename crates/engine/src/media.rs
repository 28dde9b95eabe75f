//! Media types: which ones are taken, and whether a file is what it is called.

use std::sync::Arc;

/// What a file is called that nobody knows more about.
const UNKNOWN: &str = "application/octet-stream";

/// Types that are text although their names do not say so.
const TEXT_TYPES: &[&str] = &[
    "application/json",
    "application/xml",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/javascript",
];

/// Files of TypeScript, which have no registered type, and whose ending belongs to a kind of video for most systems. In a
/// chat they are source code; a video by that name is refused for its bytes.
const TYPESCRIPT: &str = "text/typescript";
const TYPESCRIPT_ENDINGS: &[&str] = &["ts", "mts", "cts", "tsx"];
const VIDEO_STREAMS: &[&str] = &["video/mp2t", "video/vnd.dlna.mpeg-tts"];

/// Images that browsers show and models take. Their bytes are looked at before they are taken, so a file of these types
/// is one.
pub const SHOWN_IMAGES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];

/// How text in UTF-16 begins, in either order of bytes.
const UTF16_LE: [u8; 2] = [0xff, 0xfe];
const UTF16_BE: [u8; 2] = [0xfe, 0xff];

/// A PDF document.
pub const PDF: &str = "application/pdf";

/// Sounds that some models take.
const HEARD_SOUNDS: &[&str] = &["audio/x-wav", "audio/mpeg"];

/// What a file is that can be shown to a model, by its first bytes: one of [`SHOWN_IMAGES`], [`PDF`], `audio/wav` or
/// `audio/mpeg`.
pub fn shown(head: &[u8]) -> Option<&'static str> {
    let found = infer::get(head)?.mime_type();
    let is_shown = SHOWN_IMAGES.contains(&found) || found == PDF || HEARD_SOUNDS.contains(&found);
    is_shown.then_some(if found == "audio/x-wav" {
        "audio/wav"
    } else {
        found
    })
}

/// The type of a picture that browsers show and models take, by its first bytes.
fn picture(head: &[u8]) -> Option<&'static str> {
    shown(head).filter(|found| SHOWN_IMAGES.contains(found))
}

/// How names of files of a shown image's type end.
pub(crate) fn extension(media_type: &str) -> &str {
    match media_type {
        "image/jpeg" => "jpg",
        other => other.rsplit('/').next().unwrap_or(other),
    }
}

/// Which media types are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaTypes(Arc<[String]>);

impl MediaTypes {
    /// Types like `image/png`, whole families like `text/*`, or everything: `*/*`.
    pub fn new(types: impl IntoIterator<Item = String>) -> Self {
        let types = types.into_iter().map(|name| name.to_ascii_lowercase());
        Self(types.collect())
    }

    fn has(&self, media_type: &str) -> bool {
        self.0.iter().any(|taken| match taken.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => media_type
                .split_once('/')
                .is_some_and(|(named, _)| named == family),
            None => taken == media_type,
        })
    }

    /// The type that a file is taken as: the one it is called, or else the one its name tells. Systems that do not know
    /// a type call it something general, or nothing. The bytes are looked at later, whatever was said.
    pub(crate) fn take(&self, called: &str, name: &str) -> Option<String> {
        let called = essence(called);
        let guessed = guess(name);
        let is_misnamed = guessed == TYPESCRIPT && VIDEO_STREAMS.contains(&&*called);
        if called != UNKNOWN && !is_misnamed && self.has(&called) {
            return Some(called);
        }
        self.has(guessed).then(|| guessed.to_owned())
    }

    /// What a file is called that begins like this: by its bytes, where it is a picture and called another kind of
    /// picture, or nothing. Phones and messengers rename pictures without changing them.
    pub(crate) fn rename(&self, called: String, head: &[u8]) -> String {
        let essence = essence(&called);
        match picture(head) {
            Some(found)
                if (essence.starts_with("image/") || essence == UNKNOWN) && self.has(found) =>
            {
                found.to_owned()
            }
            _ => called,
        }
    }
}

/// The type that a file's name tells.
fn guess(name: &str) -> &'static str {
    let is_typescript = name
        .rsplit_once('.')
        .is_some_and(|(_, ending)| TYPESCRIPT_ENDINGS.contains(&&*ending.to_ascii_lowercase()));
    if is_typescript {
        return TYPESCRIPT;
    }
    mime_guess::from_path(name).first_raw().unwrap_or(UNKNOWN)
}

/// A media type in lower case and without parameters.
fn essence(called: &str) -> String {
    let essence = called.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "" => UNKNOWN.to_owned(),
        "image/jpg" => "image/jpeg".to_owned(),
        other => other.to_owned(),
    }
}

/// Whether a file of this type can be told as text.
pub fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || TEXT_TYPES.contains(&media_type)
}

/// Whether a file that begins like this can be of that type. Images and PDF must be what they are called, and nothing else
/// may be one of them.
pub(crate) fn agrees(media_type: &str, head: &[u8]) -> bool {
    let found = infer::get(head).map(|found| found.mime_type());
    let is_shown = |media_type: &str| media_type.starts_with("image/") || media_type == PDF;
    if is_shown(media_type) {
        return found == Some(media_type);
    }
    if is_text(media_type) {
        return is_utf16(head) || found.is_none_or(is_text) && !has_nul(head);
    }
    !found.is_some_and(is_shown)
}

/// Whether it begins with a byte order mark of UTF-16, as what Windows calls "Unicode" does.
pub(crate) fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(&UTF16_LE) || head.starts_with(&UTF16_BE)
}

/// A file as text: UTF-8, or UTF-16 that says so. `None` for text in another encoding.
pub(crate) fn text(bytes: Vec<u8>) -> Option<String> {
    if !is_utf16(&bytes) {
        return String::from_utf8(bytes).ok();
    }
    let (pairs, []) = bytes[2..].as_chunks() else {
        return None;
    };
    let read = if bytes.starts_with(&UTF16_LE) {
        u16::from_le_bytes
    } else {
        u16::from_be_bytes
    };
    let units = pairs.iter().copied().map(read);
    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    (!text.contains('\0')).then_some(text)
}

/// Text has no NUL; what has one is something else.
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn a_type_is_taken_by_its_name_or_its_family() {
        let types = MediaTypes::new(["image/PNG", "text/*", "application/pdf"].map(str::to_owned));
        for (called, name, taken) in [
            ("image/png", "a", Some("image/png")),
            ("IMAGE/PNG; x=y", "a", Some("image/png")),
            ("text/csv", "a", Some("text/csv")),
            ("image/svg+xml", "a.svg", None),
            ("texts/csv", "a", None),
            ("", "a", None),
            // What systems say when they do not know better.
            ("", "notes.md", Some("text/markdown")),
            ("application/octet-stream", "a.csv", Some("text/csv")),
            ("application/vnd.ms-excel", "a.csv", Some("text/csv")),
            ("application/zip", "a.zip", None),
            // Systems take TypeScript for a video.
            ("video/mp2t", "a.ts", Some("text/typescript")),
            ("video/vnd.dlna.mpeg-tts", "a.TS", Some("text/typescript")),
            ("", "a.d.mts", Some("text/typescript")),
            ("video/mp2t", "a.m2ts", None),
        ] {
            assert_eq!(
                types.take(called, name).as_deref(),
                taken,
                "{called} {name}"
            );
        }
        let all = MediaTypes::new(["*/*".to_owned()]);
        assert_eq!(all.take("a/b", "x").as_deref(), Some("a/b"));
        assert_eq!(all.take("", "x").as_deref(), Some(UNKNOWN));
        let script = all.take("video/mp2t", "a.ts");
        assert_eq!(script.as_deref(), Some("text/typescript"));
        assert_eq!(MediaTypes::default().take("image/png", "a.png"), None);
    }

    #[test]
    fn a_picture_is_what_its_bytes_say_whatever_kind_of_picture_it_is_called() {
        let types = MediaTypes::new(["image/png", "text/*"].map(str::to_owned));
        for (called, head, expected) in [
            ("image/jpeg", PNG, "image/png"),
            ("image/heic", PNG, "image/png"),
            ("IMAGE/JPG", PNG, "image/png"),
            ("", PNG, "image/png"),
            ("image/png", PNG, "image/png"),
            // That is more than another name for a picture.
            ("text/plain", PNG, "text/plain"),
            ("application/zip", PNG, "application/zip"),
            // Not taken here.
            ("image/png", b"GIF89a", "image/png"),
            ("image/png", b"<svg/>", "image/png"),
            ("", b"%PDF-1.7", ""),
        ] as [(&str, &[u8], &str); 10]
        {
            assert_eq!(types.rename(called.to_owned(), head), expected, "{called}");
        }
    }

    #[test]
    fn text_is_utf_8_or_says_that_it_is_utf_16() {
        let le: Vec<u8> = "\u{feff}h\u{e9} \u{1f600}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{feff}h\u{e9}"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(text(le.clone()).unwrap(), "h\u{e9} \u{1f600}");
        assert_eq!(text(be.clone()).unwrap(), "h\u{e9}");
        assert!(agrees("text/plain", &le) && agrees("text/csv", &be));
        assert!(!agrees("image/png", &le) && !agrees(PDF, &le));
        assert_eq!(text(b"h\xc3\xa9".to_vec()).unwrap(), "h\u{e9}");
        for bytes in [
            &b"h\xe9"[..],
            b"\xff\xfea",
            b"\xff\xfe\0\xd8",
            b"\xff\xfe\0\0a\0\0\0",
        ] {
            assert_eq!(text(bytes.to_vec()), None, "{bytes:?}");
        }
    }

    #[test]
    fn what_a_model_can_be_shown_is_known_by_its_bytes() {
        for (head, expected) in [
            (PNG, Some("image/png")),
            (b"%PDF-1.7\n", Some(PDF)),
            (b"RIFF\x24\0\0\0WAVEfmt ", Some("audio/wav")),
            (b"ID3\x04\0\0", Some("audio/mpeg")),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"PK\x03\x04", None),
            (b"", None),
        ] as [(&[u8], Option<&str>); 7]
        {
            assert_eq!(shown(head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_file_must_be_what_it_is_called() {
        for (media_type, head, expected) in [
            ("image/png", PNG, true),
            ("image/jpeg", PNG, false),
            (
                "image/svg+xml",
                b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                false,
            ),
            ("image/png", b"<html><script>alert(1)</script>", false),
            ("image/png", b"", false),
            (PDF, b"%PDF-1.7\n", true),
            (PDF, b"hello", false),
            ("text/plain", b"hello", true),
            ("text/plain", b"", true),
            ("text/html", b"<!DOCTYPE html><p>", true),
            ("text/plain", PNG, false),
            ("text/plain", b"MZ\x90\0\x03", false),
            ("application/json", b"{}", true),
            ("application/json", b"%PDF-1.7\n", false),
            ("application/zip", b"PK\x03\x04", true),
            ("application/zip", PNG, false),
        ] as [(&str, &[u8], bool); 16]
        {
            assert_eq!(agrees(media_type, head), expected, "{media_type} {head:?}");
        }
    }
}
