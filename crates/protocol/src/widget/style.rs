//! The values that describe how a component looks.

use serde::{Deserialize, Serialize};
use serde_json::Number;
use serde_with::skip_serializing_none;

/// Declares a closed set of words.
macro_rules! words {
    ($($(#[$doc:meta])* $Name:ident { $($Word:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $Name {$(
            #[doc = concat!("`", $word, "`.")]
            #[serde(rename = $word)]
            $Word,
        )*}
    )*};
}

pub(crate) use words;

/// A number or a CSS value. What the number counts depends on the field: pixels for sizes, units of
/// four pixels for spacing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or a CSS value")]
pub enum Dimension {
    Number(Number),
    Css(String),
}

impl From<u32> for Dimension {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Dimension {
    fn from(css: &str) -> Self {
        Self::Css(css.to_owned())
    }
}

/// A colour: a token, a CSS colour, or one for each theme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a colour, or one for each theme")]
pub enum Color {
    Same(String),
    ByTheme(ThemeColor),
}

impl From<&str> for Color {
    fn from(color: &str) -> Self {
        Self::Same(color.to_owned())
    }
}

/// A colour for each theme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThemeColor {
    pub dark: String,
    pub light: String,
}

/// Space at the edges: the same at all, or by edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number, a CSS value or an object by edge"
)]
pub enum Inset {
    /// The same at all edges.
    Same(Dimension),
    ByEdge(Spacing),
}

impl<T: Into<Dimension>> From<T> for Inset {
    fn from(dimension: T) -> Self {
        Self::Same(dimension.into())
    }
}

macro_rules! by_edge {
    ($(#[$doc:meta])* $Name:ident of $Type:ty) => {
        $(#[$doc])*
        #[skip_serializing_none]
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            pub top: Option<$Type>,
            pub right: Option<$Type>,
            pub bottom: Option<$Type>,
            pub left: Option<$Type>,
            pub x: Option<$Type>,
            pub y: Option<$Type>,
        }
    };
}

by_edge!(
    Spacing of Dimension
);
by_edge!(
    /// Borders by edge.
    Borders of Edge
);

/// A border: the same at all edges, or by edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number, a border or borders by edge")]
pub enum Frame {
    /// The same at all edges.
    Same(Edge),
    ByEdge(Box<Borders>),
}

/// The border at one edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or a border")]
pub enum Edge {
    /// Pixels.
    Width(Number),
    Border(Border),
}

/// A border with colour and style.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Border {
    /// Pixels.
    pub size: Number,
    /// A border colour.
    pub color: Option<Color>,
    pub style: Option<BorderStyle>,
}

words! {
    /// The line of a border.
    BorderStyle {
        Solid = "solid",
        Dashed = "dashed",
        Dotted = "dotted",
        Double = "double",
        Groove = "groove",
        Ridge = "ridge",
        Inset = "inset",
        Outset = "outset",
    }

    Radius {
        TwoXs = "2xs",
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
        TwoXl = "2xl",
        ThreeXl = "3xl",
        FourXl = "4xl",
        Full = "full",
        Percent100 = "100%",
        None = "none",
    }

    /// Where lines of text begin, or where something stands in its cell.
    TextAlign {
        Start = "start",
        Center = "center",
        End = "end",
    }

    TextSize {
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
    }

    TitleSize {
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
        TwoXl = "2xl",
        ThreeXl = "3xl",
        FourXl = "4xl",
        FiveXl = "5xl",
    }

    CaptionSize {
        Sm = "sm",
        Md = "md",
        Lg = "lg",
    }

    IconSize {
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
        TwoXl = "2xl",
        ThreeXl = "3xl",
    }

    Weight {
        Normal = "normal",
        Medium = "medium",
        Semibold = "semibold",
        Bold = "bold",
    }

    /// Where children stand across the direction of their container.
    Alignment {
        Start = "start",
        Center = "center",
        End = "end",
        Baseline = "baseline",
        Stretch = "stretch",
    }

    /// Where children stand along the direction of their container.
    Justification {
        Start = "start",
        Center = "center",
        End = "end",
        Between = "between",
        Around = "around",
        Evenly = "evenly",
        Stretch = "stretch",
    }

    /// Whether children may go to a next line.
    Wrap {
        NoWrap = "nowrap",
        Wrap = "wrap",
        WrapReverse = "wrap-reverse",
    }

    /// Which way children follow each other.
    Direction {
        Row = "row",
        Col = "col",
    }

    /// A colour scheme that a subtree keeps.
    Theme {
        Light = "light",
        Dark = "dark",
    }

    ControlVariant {
        Solid = "solid",
        Soft = "soft",
        Outline = "outline",
        Ghost = "ghost",
    }

    ControlSize {
        ThreeXs = "3xs",
        TwoXs = "2xs",
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
        TwoXl = "2xl",
        ThreeXl = "3xl",
    }
}
