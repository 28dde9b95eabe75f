//! Components that say something.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{CaptionSize, Dimension, TextSize, TitleSize};

components! {
    /// A heading.
    #[derive(Default)]
    Title + text {
        /// How large.
        pub size: Option<TitleSize>,
    }

    /// A small remark.
    #[derive(Default)]
    Caption + text {
        /// How large.
        pub size: Option<CaptionSize>,
    }

    /// Plain text.
    #[derive(Default)]
    Text + text {
        /// Whether more text may come in updates.
        pub streaming: Option<bool>,
        /// In italics.
        pub italic: Option<bool>,
        /// Struck through.
        pub line_through: Option<bool>,
        /// Pixels or CSS.
        pub width: Option<Dimension>,
        /// How large.
        pub size: Option<TextSize>,
        /// Keep room for so many lines.
        pub min_lines: Option<u32>,
        /// Makes it a field that the user can change in place.
        pub editable: Option<Editable>,
    }

    /// Formatted text.
    #[derive(Default)]
    Markdown {
        /// Markdown.
        pub value: String,
        /// Whether more text may come in updates.
        pub streaming: Option<bool>,
    }

    /// A word in a pill.
    #[derive(Default)]
    Badge {
        /// The word.
        pub label: String,
        /// A colour by meaning.
        pub color: Option<BadgeColor>,
        /// How it looks.
        pub variant: Option<BadgeVariant>,
        /// How large.
        pub size: Option<BadgeSize>,
        /// Whether its ends are round.
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
    /// It becomes a field.
    Field(EditableField),
}

/// The field that a text becomes.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditableField {
    /// Its name in the form.
    pub name: String,
    /// Whether it takes the focus.
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
    /// Whether it must be filled in.
    pub required: Option<bool>,
}

words! {
    /// A colour by meaning.
    BadgeColor {
        Secondary = "secondary",
        Success = "success",
        Danger = "danger",
        Warning = "warning",
        Info = "info",
        Discovery = "discovery",
    }

    /// How a badge looks.
    BadgeVariant {
        Solid = "solid",
        Soft = "soft",
        Outline = "outline",
    }

    /// How large a badge is.
    BadgeSize {
        Sm = "sm",
        Md = "md",
        Lg = "lg",
    }
}
