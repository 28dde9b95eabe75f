//! Components that show something.

use crate::icon::IconName;
use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{Color, IconSize, Inset, Radius};

components! {
    Icon {
        pub name: IconName,
        pub color: Option<Color>,
        pub size: Option<IconSize>,
    }

    #[derive(Default)]
    Image + block {
        pub src: String,
        pub alt: Option<String>,
        pub fit: Option<ImageFit>,
        /// Which part of it stays in sight.
        pub position: Option<ImagePosition>,
        pub radius: Option<Radius>,
        /// Whether it has a fine border.
        pub frame: Option<bool>,
        /// Whether it reaches the edge of the container.
        pub flush: Option<bool>,
        /// Outside the border: spacing units or CSS.
        pub margin: Option<Inset>,
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
