//! Components that say something.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{CaptionSize, Dimension, TextSize, TitleSize};

components! {
    #[derive(Default)]
    Title + text {
        pub size: Option<TitleSize>,
    }

    #[derive(Default)]
    Caption + text {
        pub size: Option<CaptionSize>,
    }

    #[derive(Default)]
    Text + text {
        /// Whether more text may come in updates.
        pub streaming: Option<bool>,
        pub italic: Option<bool>,
        pub line_through: Option<bool>,
        /// Pixels or CSS.
        pub width: Option<Dimension>,
        pub size: Option<TextSize>,
        pub min_lines: Option<u32>,
        /// Makes it a field that the user can change in place.
        pub editable: Option<Editable>,
    }

    #[derive(Default)]
    Markdown {
        /// Markdown.
        pub value: String,
        /// Whether more text may come in updates.
        pub streaming: Option<bool>,
    }

    #[derive(Default)]
    Badge {
        pub label: String,
        pub color: Option<BadgeColor>,
        pub variant: Option<BadgeVariant>,
        pub size: Option<BadgeSize>,
        pub pill: Option<bool>,
    }
}

/// Whether a text can be changed in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected false, or the field that the text becomes"
)]
pub enum Editable {
    /// `false`: it cannot.
    Off(bool),
    Field(EditableField),
}

/// The field that a text becomes.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditableField {
    pub name: String,
    pub auto_focus: Option<bool>,
    /// Whether its text is selected on focus.
    pub auto_select: Option<bool>,
    /// What the browser may fill in (the HTML attribute).
    pub auto_complete: Option<String>,
    /// Whether password managers may take part.
    pub allow_autofill_extensions: Option<bool>,
    /// A regular expression that the value must match (the HTML attribute).
    pub pattern: Option<String>,
    /// Shown while it is empty.
    pub placeholder: Option<String>,
    pub required: Option<bool>,
}

words! {
    BadgeColor {
        Secondary = "secondary",
        Success = "success",
        Danger = "danger",
        Warning = "warning",
        Info = "info",
        Discovery = "discovery",
    }

    BadgeVariant {
        Solid = "solid",
        Soft = "soft",
        Outline = "outline",
    }

    BadgeSize {
        Sm = "sm",
        Md = "md",
        Lg = "lg",
    }
}
