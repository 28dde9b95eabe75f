//! The names of icons.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

/// Longest icon name that is read, in bytes.
const MAX_LENGTH: usize = 128;

/// The name of an icon: one of the built-in ones, or one of a named set (`lucide:rocket`,
/// `vendor:acme`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IconName(Cow<'static, str>);

/// A string that names no icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a built-in icon, or a name that begins with `lucide:` or `vendor:`")]
pub struct UnknownIcon;

macro_rules! icons {
    ($($CONSTANT:ident = $name:literal,)*) => {
        impl IconName {
            /// Every built-in name, in the order of the SDK's `IconName`.
            pub const BUILT_IN: &[&str] = &[$($name,)*];

            $(
                #[doc = concat!("The built-in icon `", $name, "`.")]
                pub const $CONSTANT: Self = Self(Cow::Borrowed($name));
            )*
        }
    };
}

icons! {
    AGENT = "agent",
    ANALYTICS = "analytics",
    ATOM = "atom",
    BATCH = "batch",
    BOLT = "bolt",
    BOOK_OPEN = "book-open",
    BOOK_CLOSED = "book-closed",
    BOOK_CLOCK = "book-clock",
    BUG = "bug",
    CALENDAR = "calendar",
    CHART = "chart",
    CHECK = "check",
    CHECK_CIRCLE = "check-circle",
    CHECK_CIRCLE_FILLED = "check-circle-filled",
    CHEVRON_LEFT = "chevron-left",
    CHEVRON_RIGHT = "chevron-right",
    CIRCLE_QUESTION = "circle-question",
    CLOCK = "clock",
    COMPASS = "compass",
    CONFETTI = "confetti",
    CUBE = "cube",
    DESKTOP = "desktop",
    DOCUMENT = "document",
    DOT = "dot",
    DOTS_HORIZONTAL = "dots-horizontal",
    DOTS_VERTICAL = "dots-vertical",
    EMPTY_CIRCLE = "empty-circle",
    EXTERNAL_LINK = "external-link",
    GLOBE = "globe",
    KEYS = "keys",
    LAB = "lab",
    IMAGES = "images",
    INFO = "info",
    LIFESAVER = "lifesaver",
    LIGHTBULB = "lightbulb",
    MAIL = "mail",
    MAP_PIN = "map-pin",
    MAPS = "maps",
    MOBILE = "mobile",
    NAME = "name",
    NOTEBOOK = "notebook",
    NOTEBOOK_PENCIL = "notebook-pencil",
    PAGE_BLANK = "page-blank",
    PHONE = "phone",
    PLAY = "play",
    PLUS = "plus",
    PROFILE = "profile",
    PROFILE_CARD = "profile-card",
    RELOAD = "reload",
    STAR = "star",
    STAR_FILLED = "star-filled",
    SEARCH = "search",
    SPARKLE = "sparkle",
    SPARKLE_DOUBLE = "sparkle-double",
    SQUARE_CODE = "square-code",
    SQUARE_IMAGE = "square-image",
    SQUARE_TEXT = "square-text",
    SUITCASE = "suitcase",
    SETTINGS_SLIDER = "settings-slider",
    USER = "user",
    WREATH = "wreath",
    WRITE = "write",
    WRITE_ALT = "write-alt",
    WRITE_ALT2 = "write-alt2",
}

impl IconName {
    /// The name as it is on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IconName {
    type Err = UnknownIcon;

    fn from_str(text: &str) -> Result<Self, UnknownIcon> {
        if let Some(name) = Self::BUILT_IN.iter().find(|name| **name == text) {
            return Ok(Self(Cow::Borrowed(name)));
        }
        let is_from_a_set = text.starts_with("lucide:") || text.starts_with("vendor:");
        if is_from_a_set && text.len() <= MAX_LENGTH {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        Err(UnknownIcon)
    }
}

impl fmt::Display for IconName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for IconName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IconName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_and_named_sets() {
        assert_eq!("book-open".parse(), Ok(IconName::BOOK_OPEN));
        assert_eq!(
            "lucide:rocket"
                .parse::<IconName>()
                .map(|icon| icon.to_string()),
            Ok("lucide:rocket".to_owned())
        );
        for text in ["", "rocket", "Lucide:rocket", "../x"] {
            assert_eq!(text.parse::<IconName>(), Err(UnknownIcon), "{text:?}");
        }
    }
}
