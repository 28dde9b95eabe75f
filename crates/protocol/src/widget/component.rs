//! How a component is declared: its own fields, and groups of fields that several have.

/// Declares components. Every one has `key` and `id`; `+ text`, `+ block` and `+ container` add the
/// fields of those groups. A component with a field that is not declared is not read as this type.
macro_rules! components {
    ($($(#[$meta:meta])* $Name:ident $(+ $group:ident)? { $($own:tt)* })*) => {
        $($crate::widget::component::components!(@group [$($group)?] $(#[$meta])* $Name { $($own)* });)*
    };
    (@group [] $(#[$meta:meta])* $Name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[::serde_with::skip_serializing_none]
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $Name {
            /// Tells it from its neighbours when the tree changes.
            pub key: Option<String>,
            pub id: Option<String>,
            $($fields)*
        }
    };
    (@group [text] $(#[$meta:meta])* $Name:ident { $($own:tt)* }) => {
        $crate::widget::component::components!(@group [] $(#[$meta])* $Name {
            pub value: String,
            pub color: Option<$crate::widget::Color>,
            pub weight: Option<$crate::widget::Weight>,
            pub text_align: Option<$crate::widget::TextAlign>,
            /// Cut off what does not fit, with an ellipsis.
            pub truncate: Option<bool>,
            pub max_lines: Option<u32>,
            $($own)*
        });
    };
    (@group [block] $(#[$meta:meta])* $Name:ident { $($own:tt)* }) => {
        $crate::widget::component::components!(@group [] $(#[$meta])* $Name {
            /// Pixels or CSS.
            pub height: Option<$crate::widget::Dimension>,
            /// Pixels or CSS.
            pub width: Option<$crate::widget::Dimension>,
            pub size: Option<$crate::widget::Dimension>,
            /// Pixels or CSS.
            pub min_height: Option<$crate::widget::Dimension>,
            /// Pixels or CSS.
            pub min_width: Option<$crate::widget::Dimension>,
            /// Least height and width at once.
            pub min_size: Option<$crate::widget::Dimension>,
            /// Pixels or CSS.
            pub max_height: Option<$crate::widget::Dimension>,
            /// Pixels or CSS.
            pub max_width: Option<$crate::widget::Dimension>,
            pub max_size: Option<$crate::widget::Dimension>,
            /// Width by height, as a number or CSS.
            pub aspect_ratio: Option<$crate::widget::Dimension>,
            /// How it takes part in its container's room.
            pub flex: Option<$crate::widget::Dimension>,
            $($own)*
        });
    };
    (@group [container] $(#[$meta:meta])* $Name:ident { $($own:tt)* }) => {
        $crate::widget::component::components!(@group [block] $(#[$meta])* $Name {
            pub children: Option<Vec<$crate::widget::Widget>>,
            /// Where children stand across the direction.
            pub align: Option<$crate::widget::Alignment>,
            /// Where children stand along the direction.
            pub justify: Option<$crate::widget::Justification>,
            /// Whether children may go to a next line.
            pub wrap: Option<$crate::widget::Wrap>,
            /// Between children: spacing units or CSS.
            pub gap: Option<$crate::widget::Dimension>,
            /// Inside the border: spacing units or CSS.
            pub padding: Option<$crate::widget::Inset>,
            /// Outside the border: spacing units or CSS.
            pub margin: Option<$crate::widget::Inset>,
            /// The border.
            pub border: Option<$crate::widget::Frame>,
            pub radius: Option<$crate::widget::Radius>,
            pub background: Option<$crate::widget::Color>,
            $($own)*
        });
    };
}

pub(crate) use components;
