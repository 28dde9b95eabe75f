//! Components that the user works with.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::action::ActionConfig;
use crate::icon::IconName;
use crate::widget::component::components;
use crate::widget::style::words;
use crate::widget::{
    Color, ControlSize, ControlVariant, Direction, IconSize, TextAlign, TextSize, Weight,
};

components! {
    #[derive(Default)]
    Button {
        /// Whether it sends the form around it.
        pub submit: Option<bool>,
        pub label: Option<String>,
        pub on_click_action: Option<ActionConfig>,
        /// An icon before the label, or instead of one.
        pub icon_start: Option<IconName>,
        pub icon_end: Option<IconName>,
        /// A colour and a variant at once.
        pub style: Option<ButtonStyle>,
        pub icon_size: Option<IconSize>,
        pub color: Option<ButtonColor>,
        pub variant: Option<ControlVariant>,
        pub size: Option<ControlSize>,
        pub pill: Option<bool>,
        pub uniform: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        pub disabled: Option<bool>,
    }

    #[derive(Default)]
    Input {
        pub name: String,
        /// What is typed (the HTML attribute `type`).
        pub input_type: Option<InputType>,
        pub default_value: Option<String>,
        pub required: Option<bool>,
        /// A regular expression that the value must match (the HTML attribute).
        pub pattern: Option<String>,
        /// Shown while it is empty.
        pub placeholder: Option<String>,
        /// Whether password managers may take part.
        pub allow_autofill_extensions: Option<bool>,
        /// Whether its text is selected at first.
        pub auto_select: Option<bool>,
        /// Whether it takes the focus at first.
        pub auto_focus: Option<bool>,
        pub disabled: Option<bool>,
        pub variant: Option<FieldVariant>,
        pub size: Option<ControlSize>,
        pub gutter_size: Option<GutterSize>,
        pub pill: Option<bool>,
    }

    #[derive(Default)]
    Textarea {
        pub name: String,
        pub default_value: Option<String>,
        pub required: Option<bool>,
        /// A regular expression that the value must match.
        pub pattern: Option<String>,
        /// Shown while it is empty.
        pub placeholder: Option<String>,
        /// Whether its text is selected at first.
        pub auto_select: Option<bool>,
        /// Whether it takes the focus at first.
        pub auto_focus: Option<bool>,
        pub disabled: Option<bool>,
        pub variant: Option<FieldVariant>,
        pub size: Option<ControlSize>,
        /// Room at its edges.
        pub gutter_size: Option<GutterSize>,
        pub rows: Option<u32>,
        /// Whether it grows with its text.
        pub auto_resize: Option<bool>,
        /// Lines at most, when it grows.
        pub max_rows: Option<u32>,
        /// Whether password managers may take part.
        pub allow_autofill_extensions: Option<bool>,
    }

    /// A choice from a list that unfolds.
    #[derive(Default)]
    Select {
        pub name: String,
        pub options: Vec<SelectOption>,
        pub on_change_action: Option<ActionConfig>,
        pub placeholder: Option<String>,
        pub default_value: Option<String>,
        pub variant: Option<ControlVariant>,
        pub size: Option<ControlSize>,
        pub pill: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        /// Whether the choice can be taken back.
        pub clearable: Option<bool>,
        pub disabled: Option<bool>,
        /// Whether the list has a search field.
        pub searchable: Option<bool>,
    }

    #[derive(Default)]
    DatePicker {
        pub name: String,
        pub on_change_action: Option<ActionConfig>,
        pub placeholder: Option<String>,
        /// What is chosen at first, in ISO 8601.
        pub default_value: Option<String>,
        /// The first date that can be chosen, in ISO 8601.
        pub min: Option<String>,
        /// The last date that can be chosen, in ISO 8601.
        pub max: Option<String>,
        pub variant: Option<ControlVariant>,
        pub size: Option<ControlSize>,
        pub side: Option<Side>,
        /// Where the calendar stands at that side.
        pub align: Option<TextAlign>,
        pub pill: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        /// Whether the choice can be taken back.
        pub clearable: Option<bool>,
        pub disabled: Option<bool>,
    }

    #[derive(Default)]
    Checkbox {
        pub name: String,
        pub label: Option<String>,
        pub default_checked: Option<bool>,
        pub on_change_action: Option<ActionConfig>,
        pub disabled: Option<bool>,
        pub required: Option<bool>,
    }

    #[derive(Default)]
    RadioGroup {
        pub name: String,
        pub options: Option<Vec<RadioOption>>,
        /// What assistive technology calls it; by default its name.
        pub aria_label: Option<String>,
        pub on_change_action: Option<ActionConfig>,
        pub default_value: Option<String>,
        /// Which way the choices follow each other.
        pub direction: Option<Direction>,
        pub disabled: Option<bool>,
        /// Whether something must be chosen.
        pub required: Option<bool>,
    }

    #[derive(Default)]
    Label {
        pub value: String,
        /// The name of the field in the form.
        pub field_name: String,
        pub size: Option<TextSize>,
        pub weight: Option<Weight>,
        pub text_align: Option<TextAlign>,
        pub color: Option<Color>,
    }
}

/// A choice of a [`Select`].
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectOption {
    pub value: String,
    pub label: String,
    pub disabled: Option<bool>,
    pub description: Option<String>,
}

/// A choice of a [`RadioGroup`].
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RadioOption {
    pub label: String,
    pub value: String,
    pub disabled: Option<bool>,
}

words! {
    /// A colour and a variant at once.
    ButtonStyle {
        Primary = "primary",
        Secondary = "secondary",
    }

    ButtonColor {
        Primary = "primary",
        Secondary = "secondary",
        Info = "info",
        Discovery = "discovery",
        Success = "success",
        Caution = "caution",
        Warning = "warning",
        Danger = "danger",
    }

    InputType {
        Number = "number",
        Email = "email",
        Text = "text",
        Password = "password",
        Tel = "tel",
        Url = "url",
    }

    FieldVariant {
        Soft = "soft",
        Outline = "outline",
    }

    GutterSize {
        TwoXs = "2xs",
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
    }

    Side {
        Top = "top",
        Bottom = "bottom",
        Left = "left",
        Right = "right",
    }
}
