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
    /// A button.
    #[derive(Default)]
    Button {
        /// Whether it sends the form around it.
        pub submit: Option<bool>,
        /// What it says.
        pub label: Option<String>,
        /// What it does.
        pub on_click_action: Option<ActionConfig>,
        /// An icon before the label, or instead of one.
        pub icon_start: Option<IconName>,
        /// An icon after the label.
        pub icon_end: Option<IconName>,
        /// A colour and a variant at once.
        pub style: Option<ButtonStyle>,
        /// How large its icons are.
        pub icon_size: Option<IconSize>,
        /// A colour by meaning.
        pub color: Option<ButtonColor>,
        /// How it looks.
        pub variant: Option<ControlVariant>,
        /// How large.
        pub size: Option<ControlSize>,
        /// Whether its ends are round.
        pub pill: Option<bool>,
        /// Whether it is as wide as high.
        pub uniform: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
    }

    /// A field of one line.
    #[derive(Default)]
    Input {
        /// Its name in the form.
        pub name: String,
        /// What is typed (the HTML attribute `type`).
        pub input_type: Option<InputType>,
        /// What it holds at first.
        pub default_value: Option<String>,
        /// Whether it must be filled in.
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
        /// Whether it is out of use.
        pub disabled: Option<bool>,
        /// How it looks.
        pub variant: Option<FieldVariant>,
        /// How large.
        pub size: Option<ControlSize>,
        /// Room at its ends.
        pub gutter_size: Option<GutterSize>,
        /// Whether its ends are round.
        pub pill: Option<bool>,
    }

    /// A field of several lines.
    #[derive(Default)]
    Textarea {
        /// Its name in the form.
        pub name: String,
        /// What it holds at first.
        pub default_value: Option<String>,
        /// Whether it must be filled in.
        pub required: Option<bool>,
        /// A regular expression that the value must match.
        pub pattern: Option<String>,
        /// Shown while it is empty.
        pub placeholder: Option<String>,
        /// Whether its text is selected at first.
        pub auto_select: Option<bool>,
        /// Whether it takes the focus at first.
        pub auto_focus: Option<bool>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
        /// How it looks.
        pub variant: Option<FieldVariant>,
        /// How large.
        pub size: Option<ControlSize>,
        /// Room at its edges.
        pub gutter_size: Option<GutterSize>,
        /// Lines at first.
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
        /// Its name in the form.
        pub name: String,
        /// The choices.
        pub options: Vec<SelectOption>,
        /// What choosing does.
        pub on_change_action: Option<ActionConfig>,
        /// Shown while nothing is chosen.
        pub placeholder: Option<String>,
        /// What is chosen at first.
        pub default_value: Option<String>,
        /// How it looks.
        pub variant: Option<ControlVariant>,
        /// How large.
        pub size: Option<ControlSize>,
        /// Whether its ends are round.
        pub pill: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        /// Whether the choice can be taken back.
        pub clearable: Option<bool>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
        /// Whether the list has a search field.
        pub searchable: Option<bool>,
    }

    /// A date.
    #[derive(Default)]
    DatePicker {
        /// Its name in the form.
        pub name: String,
        /// What choosing does.
        pub on_change_action: Option<ActionConfig>,
        /// Shown while nothing is chosen.
        pub placeholder: Option<String>,
        /// What is chosen at first, in ISO 8601.
        pub default_value: Option<String>,
        /// The first date that can be chosen, in ISO 8601.
        pub min: Option<String>,
        /// The last date that can be chosen, in ISO 8601.
        pub max: Option<String>,
        /// How it looks.
        pub variant: Option<ControlVariant>,
        /// How large.
        pub size: Option<ControlSize>,
        /// Where the calendar unfolds.
        pub side: Option<Side>,
        /// Where the calendar stands at that side.
        pub align: Option<TextAlign>,
        /// Whether its ends are round.
        pub pill: Option<bool>,
        /// Whether it takes the whole width.
        pub block: Option<bool>,
        /// Whether the choice can be taken back.
        pub clearable: Option<bool>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
    }

    /// Yes or no.
    #[derive(Default)]
    Checkbox {
        /// Its name in the form.
        pub name: String,
        /// What it says.
        pub label: Option<String>,
        /// Whether it is ticked at first.
        pub default_checked: Option<bool>,
        /// What ticking does.
        pub on_change_action: Option<ActionConfig>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
        /// Whether it must be ticked.
        pub required: Option<bool>,
    }

    /// A choice from a list in sight.
    #[derive(Default)]
    RadioGroup {
        /// Its name in the form.
        pub name: String,
        /// The choices.
        pub options: Option<Vec<RadioOption>>,
        /// What assistive technology calls it; by default its name.
        pub aria_label: Option<String>,
        /// What choosing does.
        pub on_change_action: Option<ActionConfig>,
        /// What is chosen at first.
        pub default_value: Option<String>,
        /// Which way the choices follow each other.
        pub direction: Option<Direction>,
        /// Whether it is out of use.
        pub disabled: Option<bool>,
        /// Whether something must be chosen.
        pub required: Option<bool>,
    }

    /// The name of a field.
    #[derive(Default)]
    Label {
        /// What it says.
        pub value: String,
        /// The name of the field in the form.
        pub field_name: String,
        /// How large.
        pub size: Option<TextSize>,
        /// How bold.
        pub weight: Option<Weight>,
        /// Where the lines begin.
        pub text_align: Option<TextAlign>,
        /// A text colour.
        pub color: Option<Color>,
    }
}

/// A choice of a [`Select`].
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectOption {
    /// What the form sends.
    pub value: String,
    /// What the user reads.
    pub label: String,
    /// Whether it cannot be chosen.
    pub disabled: Option<bool>,
    /// A second line.
    pub description: Option<String>,
}

/// A choice of a [`RadioGroup`].
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RadioOption {
    /// What the user reads.
    pub label: String,
    /// What the form sends.
    pub value: String,
    /// Whether it cannot be chosen.
    pub disabled: Option<bool>,
}

words! {
    /// A colour and a variant at once.
    ButtonStyle {
        Primary = "primary",
        Secondary = "secondary",
    }

    /// A colour by meaning.
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

    /// What is typed into a field.
    InputType {
        Number = "number",
        Email = "email",
        Text = "text",
        Password = "password",
        Tel = "tel",
        Url = "url",
    }

    /// How a field looks.
    FieldVariant {
        Soft = "soft",
        Outline = "outline",
    }

    /// Room at the ends of a field.
    GutterSize {
        TwoXs = "2xs",
        Xs = "xs",
        Sm = "sm",
        Md = "md",
        Lg = "lg",
        Xl = "xl",
    }

    /// A side of a control.
    Side {
        Top = "top",
        Bottom = "bottom",
        Left = "left",
        Right = "right",
    }
}
