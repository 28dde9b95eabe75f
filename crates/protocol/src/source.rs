//! Sources that an answer or a task refers to.

use serde::{Deserialize, Serialize, Serializer};
use serde_with::skip_serializing_none;

use crate::JsonObject;
use crate::icon::IconName;

/// Something that an answer is based on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    Url(UrlSource),
    File(FileSource),
    /// Something the application knows about.
    Entity(EntitySource),
}

// Each source writes its own `type`, because tasks hold sources of one kind without this enum.
impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Url(source) => source.serialize(serializer),
            Self::File(source) => source.serialize(serializer),
            Self::Entity(source) => source.serialize(serializer),
        }
    }
}

macro_rules! sources {
    ($($(#[$doc:meta])* $Name:ident = $tag:literal {
        $($(#[$field_doc:meta])* $field:ident: $Type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[skip_serializing_none]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename = $tag)]
        pub struct $Name {
            pub title: String,
            pub description: Option<String>,
            pub timestamp: Option<String>,
            /// Sources of one group are shown together.
            pub group: Option<String>,
            $($(#[$field_doc])* pub $field: $Type,)*
        }
    )*};
}

sources! {
    UrlSource = "url" {
        url: String,
        attribution: Option<String>,
    }

    FileSource = "file" {
        filename: String,
    }

    /// Something the application knows about, such as a customer or a document.
    EntitySource = "entity" {
        /// The application's own name for it.
        id: String,
        /// Shown inline, unless there is an inline label.
        icon: Option<IconName>,
        label: Option<String>,
        inline_label: Option<String>,
        /// Whether a click reaches the application.
        #[serde(default)]
        interactive: bool,
        /// Handed to the application's callbacks.
        #[serde(default)]
        data: JsonObject,
        /// Deprecated upstream and without effect; kept so that nothing is lost.
        preview: Option<EntityPreview>,
    }
}

/// The one value of the deprecated `preview` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityPreview {
    /// The preview is fetched on demand, as it is anyway.
    Lazy,
}
