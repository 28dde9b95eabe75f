//! Components that hold or part others.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::action::ActionConfig;
use crate::icon::IconName;
use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{
    Alignment, Color, Dimension, Direction, Frame, Inset, Justification, Spacing, TextAlign, Theme,
    Widget,
};

components! {
    /// A root without a look of its own. It may hold other roots.
    #[derive(Default)]
    Basic {
        pub children: Vec<Widget>,
        /// A colour scheme for everything in it.
        pub theme: Option<Theme>,
        /// Which way children follow each other.
        pub direction: Option<Direction>,
        /// Between children: spacing units or CSS.
        pub gap: Option<Dimension>,
        /// Around the children: spacing units or CSS.
        pub padding: Option<Inset>,
        /// Where children stand across the direction.
        pub align: Option<Alignment>,
        /// Where children stand along the direction.
        pub justify: Option<Justification>,
    }

    /// A root with a border, and buttons at its foot.
    #[derive(Default)]
    Card {
        /// Whether the confirm button sends the values of the controls in it.
        pub as_form: Option<bool>,
        pub children: Vec<Widget>,
        pub background: Option<Color>,
        /// The border.
        pub border: Option<Frame>,
        pub size: Option<CardSize>,
        /// Inside the border: spacing units or CSS.
        pub padding: Option<Inset>,
        pub status: Option<WidgetStatus>,
        /// Whether the content is folded away, as after the main action.
        pub collapsed: Option<bool>,
        pub confirm: Option<CardAction>,
        pub cancel: Option<CardAction>,
        /// A colour scheme for everything in it.
        pub theme: Option<Theme>,
    }

    #[derive(Default)]
    ListView {
        /// Its [`ListViewItem`]s.
        pub children: Vec<Widget>,
        pub limit: Option<RowLimit>,
        pub status: Option<WidgetStatus>,
        /// A colour scheme for everything in it.
        pub theme: Option<Theme>,
    }

    #[derive(Default)]
    ListViewItem {
        pub children: Vec<Widget>,
        pub on_click_action: Option<ActionConfig>,
        /// Between children: spacing units or CSS.
        pub gap: Option<Dimension>,
        /// Where children stand from top to bottom.
        pub align: Option<Alignment>,
    }

    /// A flexible container in either direction (`Box` on the wire).
    #[derive(Default)]
    BoxContainer + container {
        /// Which way children follow each other.
        pub direction: Option<Direction>,
    }

    /// A flexible container from left to right.
    #[derive(Default)]
    Row + container {}

    /// A flexible container from top to bottom.
    #[derive(Default)]
    Col + container {}

    /// A container whose controls are sent together.
    #[derive(Default)]
    Form + container {
        pub on_submit_action: Option<ActionConfig>,
        /// Which way children follow each other.
        pub direction: Option<Direction>,
    }

    /// Room that pushes its neighbours apart.
    #[derive(Default)]
    Spacer {
        /// The least room, in pixels or CSS.
        pub min_size: Option<Dimension>,
    }

    #[derive(Default)]
    Divider {
        /// A border colour.
        pub color: Option<Color>,
        pub size: Option<Dimension>,
        /// Room on both sides: spacing units or CSS.
        pub spacing: Option<Dimension>,
        /// Whether it reaches the edge of the container.
        pub flush: Option<bool>,
    }

    /// Animates the change of its child.
    #[derive(Default)]
    Transition {
        pub children: Option<Widget>,
    }

    #[derive(Default)]
    Table {
        /// Its [`TableRow`]s.
        pub children: Option<Vec<Widget>>,
    }

    /// A row of a table (`Table.Row` on the wire).
    #[derive(Default)]
    TableRow {
        /// Its [`TableCell`]s.
        pub children: Option<Vec<Widget>>,
        /// Whether its cells head their columns.
        pub header: Option<bool>,
    }

    /// A cell of a row (`Table.Cell` on the wire).
    #[derive(Default)]
    TableCell {
        pub children: Option<Vec<Widget>>,
        /// Pixels or CSS.
        pub width: Option<Dimension>,
        /// Around the children: spacing units or CSS, by edge.
        pub padding: Option<Spacing>,
        pub col_span: Option<u32>,
        pub row_span: Option<u32>,
        /// Where the content stands from left to right.
        pub align: Option<TextAlign>,
        /// Where the content stands from top to bottom.
        pub v_align: Option<TextAlign>,
        /// A hint on the width of the column.
        pub col_size: Option<ColumnSize>,
    }
}

/// How many rows a list shows at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowLimit {
    /// As many as the element sees fit.
    #[serde(rename = "auto")]
    Auto,
    #[serde(untagged)]
    Count(u32),
}

/// A line above a widget.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WidgetStatus {
    pub text: String,
    /// The address of a small image before the text.
    pub favicon: Option<String>,
    /// Whether that image has a frame.
    pub frame: Option<bool>,
    /// An icon before the text, instead of an image.
    pub icon: Option<IconName>,
}

/// A button at the foot of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardAction {
    pub label: String,
    pub action: ActionConfig,
}

words! {
    CardSize {
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Full = "full",
    }

    /// A hint on the width of a column.
    ColumnSize {
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
    }
}
