//! Pictures that a model has drawn.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::{media, ports::GeneratedImage};
use serde_json::Value;

/// A picture in base 64, alone or in a `data:` address; its media type by its first bytes.
pub(super) fn read(data: &Value, is_partial: bool) -> Option<GeneratedImage> {
    let text = data.as_str()?;
    let text = match text.strip_prefix("data:") {
        Some(address) => address.split_once(";base64,")?.1,
        None => text,
    };
    let bytes = STANDARD.decode(text).ok()?;
    let media_type = media::shown(&bytes).filter(|found| media::SHOWN_IMAGES.contains(found))?;
    Some(GeneratedImage {
        bytes: bytes.into(),
        media_type,
        is_partial,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_pictures() {
        let kind = |data: &str| read(&data.into(), false).map(|image| image.media_type);
        assert_eq!(kind("iVBORw0KGgo="), Some("image/png"));
        assert_eq!(
            kind("data:image/jpeg;base64,iVBORw0KGgo="),
            Some("image/png")
        );
        assert_eq!(kind("/9j/4AAQ"), Some("image/jpeg"));
        assert_eq!(kind("R0lGODlhAQABAAAAACw="), Some("image/gif"));
        assert_eq!(kind("UklGRgAAAABXRUJQVlA4"), Some("image/webp"));
        // SVG can hold programs.
        for data in [
            "PHN2Zz48L3N2Zz4=",
            "",
            "…",
            "data:image/png,x",
            "https://example.com/a.png",
        ] {
            assert_eq!(kind(data), None, "{data}");
        }
        assert_eq!(read(&Value::Null, false), None);
    }
}
