//! Components that show something.

use crate::icon::IconName;
use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{Color, IconSize, Inset, Radius};

components! {
    /// An icon.
    Icon {
        /// Which.
        pub name: IconName,
        /// A text colour.
        pub color: Option<Color>,
        /// How large.
        pub size: Option<IconSize>,
    }

    /// An image.
    #[derive(Default)]
    Image + block {
        /// Its address.
        pub src: String,
        /// What it shows, in words.
        pub alt: Option<String>,
        /// How it fills its room.
        pub fit: Option<ImageFit>,
        /// Which part of it stays in sight.
        pub position: Option<ImagePosition>,
        /// How round the corners are.
        pub radius: Option<Radius>,
        /// Whether it has a fine border.
        pub frame: Option<bool>,
        /// Whether it reaches the edge of the container.
        pub flush: Option<bool>,
        /// Outside the border: spacing units or CSS.
        pub margin: Option<Inset>,
        /// A background colour.
        pub background: Option<Color>,
    }
}

impl Icon {
    /// An icon in the colour and size of the text around it.
    pub const fn new(name: IconName) -> Self {
        Self {
            key: None,
            id: None,
            name,
            color: None,
            size: None,
        }
    }
}

words! {
    /// How an image fills its room.
    ImageFit {
        Cover = "cover",
        Contain = "contain",
        Fill = "fill",
        ScaleDown = "scale-down",
        None = "none",
    }

    /// Which part of an image stays in sight.
    ImagePosition {
        TopLeft = "top left",
        Top = "top",
        TopRight = "top right",
        Left = "left",
        Center = "center",
        Right = "right",
        BottomLeft = "bottom left",
        Bottom = "bottom",
        BottomRight = "bottom right",
    }
}
