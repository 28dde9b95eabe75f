//! Charts. The official type definitions for the browser lack them; the Python SDK has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{Color, Dimension};

components! {
    /// A chart of bars, lines or areas.
    #[derive(Default)]
    Chart + block {
        /// The rows: a value for each field.
        pub data: Vec<BTreeMap<String, Dimension>>,
        pub series: Vec<Series>,
        /// Which field runs along the bottom.
        pub x_axis: XAxis,
        /// Whether values are written at the side.
        pub show_y_axis: Option<bool>,
        pub show_legend: Option<bool>,
        /// Whether a point tells its value.
        pub show_tooltip: Option<bool>,
        /// Pixels between the bars of one category.
        pub bar_gap: Option<u32>,
        /// Pixels between categories.
        pub bar_category_gap: Option<u32>,
    }
}

/// What runs along the bottom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a field, or an object with a `dataKey`"
)]
pub enum XAxis {
    Field(String),
    Config(XAxisConfig),
}

impl Default for XAxis {
    fn default() -> Self {
        Self::Field(String::new())
    }
}

/// A field and how it is shown.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct XAxisConfig {
    pub data_key: String,
    /// Whether line, ticks and labels are left out.
    pub hide: Option<bool>,
    pub labels: Option<BTreeMap<String, String>>,
}

/// Something that is drawn from the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Series {
    Bar(BarSeries),
    Area(AreaSeries),
    Line(LineSeries),
}

macro_rules! series {
    ($($(#[$doc:meta])* $Name:ident { $($own:tt)* })*) => {$(
        $(#[$doc])*
        #[skip_serializing_none]
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $Name {
            pub label: Option<String>,
            pub data_key: String,
            /// A chart colour; by default each series gets the next one.
            pub color: Option<Color>,
            $($own)*
        }
    )*};
}

series! {
    BarSeries {
        /// Series of the same stack stand on each other.
        pub stack: Option<String>,
    }

    AreaSeries {
        /// Series of the same stack stand on each other.
        pub stack: Option<String>,
        pub curve_type: Option<Curve>,
    }

    LineSeries {
        pub curve_type: Option<Curve>,
    }
}

words! {
    Curve {
        Basis = "basis",
        BasisClosed = "basisClosed",
        BasisOpen = "basisOpen",
        BumpX = "bumpX",
        BumpY = "bumpY",
        Bump = "bump",
        Linear = "linear",
        LinearClosed = "linearClosed",
        Natural = "natural",
        MonotoneX = "monotoneX",
        MonotoneY = "monotoneY",
        Monotone = "monotone",
        Step = "step",
        StepBefore = "stepBefore",
        StepAfter = "stepAfter",
    }
}
