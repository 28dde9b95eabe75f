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

/// Images that browsers show and models take. Their bytes are looked at before they are taken, so a file of these types
/// is one.
pub const SHOWN_IMAGES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];

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
        if called != UNKNOWN && self.has(&called) {
            return Some(called);
        }
        let guessed = mime_guess::from_path(name).first_raw().unwrap_or(UNKNOWN);
        self.has(guessed).then(|| guessed.to_owned())
    }
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
        return found.is_none_or(is_text) && !has_nul(head);
    }
    !found.is_some_and(is_shown)
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
        assert_eq!(MediaTypes::default().take("image/png", "a.png"), None);
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
