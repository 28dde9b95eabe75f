//! Identifiers: strings on the wire, types of their own in the code.
//!
//! A thread's id cannot be handed over where an item's is meant. Identifiers that we mint begin with
//! the prefixes of the hosted API (docs/decisions/0010), whatever the door, and are time-ordered, so
//! that sorting by id is sorting by age.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

/// Longest identifier that is read, in bytes.
///
/// Ours have 37 at most; those of an outside agent may be longer, but an identifier is not a place for data.
pub const MAX_LENGTH: usize = 128;

/// A string that cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an identifier of 1 to {MAX_LENGTH} letters, digits, '-', '_', '.' or ':'")]
pub struct InvalidId;

/// Says whether `text` may be an identifier: short, and without characters that mean something in
/// paths, logs, SQL or HTML.
fn check(text: &str) -> Result<(), InvalidId> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(is_plain) {
        return Err(InvalidId);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: events carry copies of it.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The identifier as it is on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<&str> for $Name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl AsRef<str> for $Name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $Name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $Name;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("an identifier (a string)")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$Name, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

id!(
    /// Names a thread (`cthr_…`).
    ThreadId
);
id!(
    /// Names an item of a thread (`cti_…`).
    ItemId
);
id!(
    /// Names an attachment (`cfile_…`).
    AttachmentId
);

id!(
    /// Names a run (`run_…`): one answer in the making.
    RunId
);

impl RunId {
    /// Makes an identifier from a time-ordered number (the bits of a UUID version 7).
    pub fn mint(ordered: u128) -> Self {
        Self(format!("run_{ordered:032x}").into())
    }
}

impl ThreadId {
    /// What the ids that we mint begin with, before the underscore.
    pub const PREFIX: &str = "cthr";

    /// Makes an identifier from a time-ordered number (the bits of a UUID version 7).
    pub fn mint(ordered: u128) -> Self {
        Self(format!("{}_{ordered:032x}", Self::PREFIX).into())
    }

    /// When the identifier was minted, in milliseconds since 1970; `None` for those of others.
    ///
    /// A UUID version 7 begins with this number in 48 bits (RFC 9562 §5.7).
    pub fn minted_at_milliseconds(&self) -> Option<i64> {
        minted_at_milliseconds(&self.0, Self::PREFIX)
    }
}

impl ItemId {
    /// What the ids that we mint begin with, before the underscore.
    pub const PREFIX: &str = "cti";

    /// Makes an identifier from a time-ordered number (the bits of a UUID version 7).
    pub fn mint(ordered: u128) -> Self {
        Self(format!("{}_{ordered:032x}", Self::PREFIX).into())
    }

    /// When the identifier was minted, as of a [`ThreadId`].
    pub fn minted_at_milliseconds(&self) -> Option<i64> {
        minted_at_milliseconds(&self.0, Self::PREFIX)
    }
}

fn minted_at_milliseconds(id: &str, prefix: &str) -> Option<i64> {
    let digits = id.strip_prefix(prefix)?.strip_prefix('_')?;
    let ordered = u128::from_str_radix(digits, 16).ok()?;
    let (version, variant) = (ordered >> 76 & 0xf, ordered >> 62 & 0b11);
    let is_version_7 = digits.len() == 32 && version == 7 && variant == 0b10;
    is_version_7.then(|| i64::try_from(ordered >> 80).ok())?
}

impl AttachmentId {
    /// Makes an identifier from a time-ordered number (the bits of a UUID version 7).
    pub fn mint(ordered: u128) -> Self {
        Self(format!("cfile_{ordered:032x}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_sort_by_age_and_can_be_read_again() {
        let older = ItemId::mint(9);
        let newer = ItemId::mint(16);
        assert!(older < newer);
        assert_eq!(older.as_str(), "cti_00000000000000000000000000000009");
        assert_eq!(newer.as_str().parse(), Ok(newer.clone()));
        assert_eq!(
            ThreadId::mint(1).as_str(),
            "cthr_00000000000000000000000000000001"
        );
        assert_eq!(
            AttachmentId::mint(1).as_str(),
            "cfile_00000000000000000000000000000001"
        );
    }

    #[test]
    fn a_minted_id_says_when() {
        // The example of RFC 9562, appendix A.6.
        let example = 0x017f_22e2_79b0_7cc3_98c4_dc0c_0c07_398f;
        let id = ThreadId::mint(example);
        assert_eq!(id.minted_at_milliseconds(), Some(1_645_557_742_000));
        let item = ItemId::mint(example);
        assert_eq!(item.minted_at_milliseconds(), Some(1_645_557_742_000));
        let item = "msg_017f22e279b07cc398c4dc0c0c07398f".parse::<ItemId>();
        assert_eq!(item.unwrap().minted_at_milliseconds(), None);
        for other in [
            "cthr_123",
            "thr_017f22e279b07cc398c4dc0c0c07398f",
            "cthr_017f22e279b04cc398c4dc0c0c07398f",
            "cthr_00000000000000000000000000000009",
        ] {
            let other = other.parse::<ThreadId>().unwrap();
            assert_eq!(other.minted_at_milliseconds(), None, "{other}");
        }
    }

    #[test]
    fn ids_of_others_are_read_when_they_are_plain() {
        for text in [
            "cthr_68e8",
            "__fake_id__",
            "a",
            "item:1.2-3",
            &"x".repeat(MAX_LENGTH),
        ] {
            assert!(text.parse::<ThreadId>().is_ok(), "{text}");
        }
        for text in [
            "",
            "a b",
            "../x",
            "a\0",
            "é",
            "a'--",
            "<b>",
            &"x".repeat(MAX_LENGTH + 1),
        ] {
            assert_eq!(text.parse::<ThreadId>(), Err(InvalidId), "{text:?}");
        }
    }
}
