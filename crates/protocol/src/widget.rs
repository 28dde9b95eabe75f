//! Widgets: trees of components that an item shows.
//!
//! Every component that ChatKit documents is a type. A component that is newer than this program, or
//! that uses a documented one in a way we do not know, is kept as it came ([`DynamicWidget`]): the
//! server passes widgets on, and only the element has to understand them. The SDK does the same.

use serde::de::{self, Deserialize, Deserializer};
use serde::{Deserialize as DeriveDeserialize, Serialize};
use serde_json::Value;

use crate::JsonObject;

mod chart;
mod component;
mod control;
mod layout;
mod media;
mod style;
mod text;

pub use crate::widget::chart::{
    AreaSeries, BarSeries, Chart, Curve, LineSeries, Series, XAxis, XAxisConfig,
};
pub use crate::widget::control::{
    Button, ButtonColor, ButtonStyle, Checkbox, DatePicker, FieldVariant, GutterSize, Input,
    InputType, Label, RadioGroup, RadioOption, Select, SelectOption, Side, Textarea,
};
pub use crate::widget::layout::{
    Basic, BoxContainer, Card, CardAction, CardSize, Col, ColumnSize, Divider, Form, ListView,
    ListViewItem, Row, RowLimit, Spacer, Table, TableCell, TableRow, Transition, WidgetStatus,
};
pub use crate::widget::media::{Icon, Image, ImageFit, ImagePosition};
pub use crate::widget::style::{
    Alignment, Border, BorderStyle, Borders, CaptionSize, Color, ControlSize, ControlVariant,
    Dimension, Direction, Edge, Frame, IconSize, Inset, Justification, Radius, Spacing, TextAlign,
    TextSize, Theme, ThemeColor, TitleSize, Weight, Wrap,
};
pub use crate::widget::text::{
    Badge, BadgeColor, BadgeSize, BadgeVariant, Caption, Editable, EditableField, Markdown, Text,
    Title,
};

/// Declares the components once, by their wire name.
macro_rules! widgets {
    ($($(#[$doc:meta])* $Component:ident = $name:literal,)*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, DeriveDeserialize)]
        #[serde(tag = "type", expecting = "expected a widget: an object with a `type`")]
        pub enum Widget {
            $(
                $(#[$doc])*
                #[serde(rename = $name)]
                $Component(Box<$Component>),
            )*
            /// Any other component, kept as it came.
            #[serde(untagged)]
            Dynamic(DynamicWidget),
        }

        impl Widget {
            /// The names of the documented components.
            pub const TYPES: &[&str] = &[$($name,)*];

            /// The component's name on the wire.
            pub fn type_name(&self) -> &str {
                match self {
                    $(Self::$Component(_) => $name,)*
                    Self::Dynamic(widget) => widget.type_name(),
                }
            }

            /// The `id` by which updates refer to this component.
            pub fn id(&self) -> Option<&str> {
                match self {
                    $(Self::$Component(component) => component.id.as_deref(),)*
                    Self::Dynamic(widget) => widget.as_object().get("id").and_then(Value::as_str),
                }
            }
        }

        $(
            impl From<$Component> for Widget {
                fn from(component: $Component) -> Self {
                    Self::$Component(Box::new(component))
                }
            }
        )*
    };
}

widgets! {
    /// A root without a look of its own.
    Basic = "Basic",
    /// A root with a border, and buttons at its foot.
    Card = "Card",
    ListView = "ListView",
    ListViewItem = "ListViewItem",
    /// A flexible container in either direction.
    BoxContainer = "Box",
    /// A flexible container from left to right.
    Row = "Row",
    /// A flexible container from top to bottom.
    Col = "Col",
    /// A container whose controls are sent together.
    Form = "Form",
    /// Flexible space between its neighbours.
    Spacer = "Spacer",
    Divider = "Divider",
    /// Animates the change of its child.
    Transition = "Transition",
    Table = "Table",
    TableRow = "Table.Row",
    TableCell = "Table.Cell",
    Title = "Title",
    Caption = "Caption",
    Text = "Text",
    Markdown = "Markdown",
    Badge = "Badge",
    Icon = "Icon",
    Image = "Image",
    /// A chart of bars, lines or areas.
    Chart = "Chart",
    Button = "Button",
    Input = "Input",
    Textarea = "Textarea",
    /// A choice from a drop-down list.
    Select = "Select",
    DatePicker = "DatePicker",
    Checkbox = "Checkbox",
    RadioGroup = "RadioGroup",
    Label = "Label",
}

/// A component kept as it came: a JSON object with a `type`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct DynamicWidget(JsonObject);

/// A JSON value that is no widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWidget {
    #[error("expected a widget: an object with a `type`")]
    NoType,
    /// Only three components can stand by themselves.
    #[error("expected a widget that can stand by itself: a Card, a ListView or a Basic")]
    NotARoot,
}

impl DynamicWidget {
    /// The component's name on the wire.
    pub fn type_name(&self) -> &str {
        // Made sure of when it was made.
        self.0
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The component with all its fields.
    pub const fn as_object(&self) -> &JsonObject {
        &self.0
    }
}

impl TryFrom<JsonObject> for DynamicWidget {
    type Error = InvalidWidget;

    fn try_from(object: JsonObject) -> Result<Self, InvalidWidget> {
        check(&object)?;
        Ok(Self(object))
    }
}

/// Makes sure that an object is a tree of components: each has a `type`, and so have its `children`.
fn check(object: &JsonObject) -> Result<(), InvalidWidget> {
    let has_type = object
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty());
    if !has_type {
        return Err(InvalidWidget::NoType);
    }
    match object.get("children") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(child)) => check(child),
        Some(Value::Array(children)) => children
            .iter()
            .try_for_each(|child| child.as_object().map_or(Err(InvalidWidget::NoType), check)),
        Some(_) => Err(InvalidWidget::NoType),
    }
}

impl<'de> Deserialize<'de> for DynamicWidget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(JsonObject::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A widget that can stand by itself: a [`Card`], a [`ListView`] or a [`Basic`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct WidgetRoot(Widget);

impl WidgetRoot {
    /// The root component.
    pub const fn as_widget(&self) -> &Widget {
        &self.0
    }

    /// The root component.
    pub fn into_widget(self) -> Widget {
        self.0
    }
}

impl TryFrom<Widget> for WidgetRoot {
    type Error = InvalidWidget;

    fn try_from(widget: Widget) -> Result<Self, InvalidWidget> {
        match widget.type_name() {
            "Card" | "ListView" | "Basic" => Ok(Self(widget)),
            _ => Err(InvalidWidget::NotARoot),
        }
    }
}

impl From<Card> for WidgetRoot {
    fn from(card: Card) -> Self {
        Self(card.into())
    }
}

impl From<ListView> for WidgetRoot {
    fn from(list: ListView) -> Self {
        Self(list.into())
    }
}

impl From<Basic> for WidgetRoot {
    fn from(basic: Basic) -> Self {
        Self(basic.into())
    }
}

impl<'de> Deserialize<'de> for WidgetRoot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Widget::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::IconName;

    fn read(value: &Value) -> Widget {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    #[test]
    fn what_is_not_understood_is_kept_as_it_came() {
        for value in [
            json!({"type": "Carousel", "id": "c", "children": [], "speed": null}),
            json!({"type": "Text", "id": "c", "value": "x", "glow": 3}),
            json!({"type": "Title", "id": "c", "value": "x", "size": "9xl"}),
            json!({"type": "Text", "id": "c"}),
        ] {
            let widget = read(&value);
            assert!(matches!(widget, Widget::Dynamic(_)), "{value}");
            assert_eq!(widget.type_name(), value["type"]);
            assert_eq!(widget.id(), Some("c"));
            assert_eq!(serde_json::to_value(widget).expect("json"), value);
        }
    }

    #[test]
    fn a_child_that_is_not_understood_does_not_hide_its_parent() {
        let Widget::Card(card) = read(&json!({"type": "Card", "children": [{"type": "New"}]}))
        else {
            panic!("a card")
        };
        assert!(matches!(card.children[0], Widget::Dynamic(_)));
    }

    #[test]
    fn only_objects_with_a_type_are_widgets() {
        for value in [
            json!(null),
            json!("Text"),
            json!([]),
            json!({}),
            json!({"type": ""}),
            json!({"type": 1}),
            json!({"type": "Card", "children": [{"type": null}]}),
            json!({"type": "Card", "children": ["x"]}),
            json!({"type": "Carousel", "children": 7}),
            json!({"type": "Carousel", "children": {"type": "Carousel", "children": [{}]}}),
        ] {
            let error = serde_json::from_value::<Widget>(value.clone()).expect_err("refused");
            assert!(
                error.to_string().contains("expected a widget"),
                "{value}: {error}"
            );
        }
    }

    #[test]
    fn only_three_components_stand_by_themselves() {
        for (value, is_root) in [
            (json!({"type": "Card", "children": []}), true),
            (json!({"type": "Card", "novel": 1}), true),
            (json!({"type": "ListView", "children": []}), true),
            (json!({"type": "Basic", "children": []}), true),
            (json!({"type": "Text", "value": "x"}), false),
            (json!({"type": "Carousel"}), false),
        ] {
            assert_eq!(
                serde_json::from_value::<WidgetRoot>(value.clone()).is_ok(),
                is_root,
                "{value}"
            );
        }
    }

    #[test]
    fn widgets_are_built_without_ceremony() {
        let root = WidgetRoot::from(Card {
            children: vec![
                Title {
                    value: "Plan".to_owned(),
                    ..Title::default()
                }
                .into(),
                Icon::new(IconName::CALENDAR).into(),
            ],
            padding: Some(4.into()),
            background: Some("surface".into()),
            ..Card::default()
        });
        assert_eq!(
            serde_json::to_value(root).expect("json"),
            json!({"type": "Card", "padding": 4, "background": "surface", "children": [
                {"type": "Title", "value": "Plan"},
                {"type": "Icon", "name": "calendar"},
            ]})
        );
    }
}
