//! Widgets: trees of components that an item shows.

use serde::{Deserialize, Serialize};

use crate::JsonObject;

/// A component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Widget(JsonObject);

/// A widget that can stand by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WidgetRoot(Widget);
