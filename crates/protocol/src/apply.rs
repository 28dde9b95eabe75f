//! How an update changes the item that it belongs to.

use serde_json::Value;

use crate::item::AssistantContent;
use crate::{ItemUpdate, ThreadItem, Widget};

/// How many parts a message has at most, so that an update for part four thousand million costs nothing.
const MAX_PARTS: usize = 256;

/// An update that does not fit the item: one of another kind, or for a part that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the update does not fit the item")]
pub struct NotApplicable;

impl ThreadItem {
    /// Brings the item to where the update says it is. An item that the update does not fit stays as it was.
    ///
    /// As in the official SDK, parts of a message that nobody has announced come into being with the first update for
    /// them.
    pub fn apply(&mut self, update: &ItemUpdate) -> Result<(), NotApplicable> {
        match (self, update) {
            (
                Self::AssistantMessage(message),
                ItemUpdate::ContentPartAdded {
                    content_index,
                    content,
                }
                | ItemUpdate::ContentPartDone {
                    content_index,
                    content,
                },
            ) => *part(&mut message.content, *content_index)? = content.clone(),
            (
                Self::AssistantMessage(message),
                ItemUpdate::TextDelta {
                    content_index,
                    delta,
                },
            ) => part(&mut message.content, *content_index)?
                .text
                .push_str(delta),
            (
                Self::AssistantMessage(message),
                ItemUpdate::AnnotationAdded {
                    content_index,
                    annotation_index,
                    annotation,
                },
            ) => {
                let annotations = &mut part(&mut message.content, *content_index)?.annotations;
                let place = (*annotation_index as usize).min(annotations.len());
                annotations.insert(place, (**annotation).clone());
            }
            (Self::Workflow(item), ItemUpdate::TaskAdded { task_index, task }) => {
                let tasks = &mut item.workflow.tasks;
                tasks.insert((*task_index as usize).min(tasks.len()), task.clone());
            }
            (Self::Workflow(item), ItemUpdate::TaskUpdated { task_index, task }) => {
                let old = item.workflow.tasks.get_mut(*task_index as usize);
                *old.ok_or(NotApplicable)? = task.clone();
            }
            (Self::Widget(item), ItemUpdate::WidgetRootUpdated { widget }) => {
                item.widget = widget.clone();
            }
            (
                Self::Widget(item),
                ItemUpdate::WidgetTextDelta {
                    component_id,
                    delta,
                    done,
                },
            ) => edit(&mut item.widget, component_id, |component| {
                let text = component.get("value").and_then(Value::as_str).unwrap_or("");
                let text = format!("{text}{delta}");
                component["value"] = Value::String(text);
                component["streaming"] = Value::Bool(!done);
            })?,
            (
                Self::Widget(item),
                ItemUpdate::WidgetComponentUpdated {
                    component_id,
                    component,
                },
            ) => {
                let new = serde_json::to_value(component).map_err(|_| NotApplicable)?;
                edit(&mut item.widget, component_id, |old| *old = new)?;
            }
            (Self::GeneratedImage(item), ItemUpdate::GeneratedImageUpdated { image, .. }) => {
                item.image = Some(image.clone());
            }
            _ => return Err(NotApplicable),
        }
        Ok(())
    }
}

/// The part of this index, which is made where it is missing.
fn part(
    content: &mut Vec<AssistantContent>,
    index: u32,
) -> Result<&mut AssistantContent, NotApplicable> {
    let index = index as usize;
    if index >= MAX_PARTS {
        return Err(NotApplicable);
    }
    if index >= content.len() {
        content.resize_with(index + 1, AssistantContent::default);
    }
    content.get_mut(index).ok_or(NotApplicable)
}

/// Changes the component of this id. What comes of it has to be a widget again.
fn edit(
    root: &mut crate::WidgetRoot,
    id: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), NotApplicable> {
    let mut tree = serde_json::to_value(&*root).map_err(|_| NotApplicable)?;
    change(find(&mut tree, id).ok_or(NotApplicable)?);
    let widget: Widget = serde_json::from_value(tree).map_err(|_| NotApplicable)?;
    *root = widget.try_into().map_err(|_| NotApplicable)?;
    Ok(())
}

/// The component of this id, wherever in the tree it is.
fn find<'tree>(value: &'tree mut Value, id: &str) -> Option<&'tree mut Value> {
    let is_it = value.get("type").is_some_and(Value::is_string)
        && value.get("id").and_then(Value::as_str) == Some(id);
    if is_it {
        return Some(value);
    }
    match value {
        Value::Array(values) => values.iter_mut().find_map(|value| find(value, id)),
        Value::Object(fields) => fields.values_mut().find_map(|value| find(value, id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: &Value) -> ThreadItem {
        let mut whole = json!({"id": "i", "thread_id": "t", "created_at": "2026-11-23T12:00:00Z"});
        for (name, value) in value.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).expect("an item")
    }

    /// Applies updates to an item and gives the field that they are about.
    fn after(start: &Value, field: &str, updates: &[Value]) -> Value {
        let mut item = item(start);
        for update in updates {
            let update = serde_json::from_value(update.clone()).expect("an update");
            item.apply(&update).expect("it fits");
        }
        serde_json::to_value(&item).expect("json")[field].clone()
    }

    #[test]
    fn messages_grow_by_part() {
        let delta = |index, text| {
            json!({"type": "assistant_message.content_part.text_delta",
                "content_index": index, "delta": text})
        };
        let source = json!({"type": "url", "title": "A", "url": "https://a.test"});
        let content = after(
            &json!({"type": "assistant_message", "content": []}),
            "content",
            &[
                json!({"type": "assistant_message.content_part.added", "content_index": 0,
                    "content": {"type": "output_text", "text": "", "annotations": []}}),
                delta(0, "He"),
                delta(0, "llo"),
                delta(1, "nobody has announced me"),
                json!({"type": "assistant_message.content_part.annotation_added", "content_index": 0,
                    "annotation_index": 9, "annotation": {"type": "annotation", "source": source}}),
            ],
        );
        assert_eq!(content[0]["text"], "Hello");
        assert_eq!(content[0]["annotations"][0]["source"]["title"], "A");
        assert_eq!(content[1]["text"], "nobody has announced me");
    }

    #[test]
    fn widgets_change_where_the_id_says() {
        let start = json!({"type": "widget", "widget": {"type": "Card", "children": [
            {"type": "Row", "children": [{"type": "Text", "id": "t", "value": "He", "streaming": true}]},
            {"type": "Badge", "id": "b", "label": "old"},
        ]}});
        let widget = after(
            &start,
            "widget",
            &[
                json!({"type": "widget.streaming_text.value_delta", "component_id": "t",
                    "delta": "llo", "done": true}),
                json!({"type": "widget.component.updated", "component_id": "b",
                    "component": {"type": "Badge", "id": "b", "label": "new"}}),
            ],
        );
        let text = &widget["children"][0]["children"][0];
        assert_eq!(
            (&text["value"], &text["streaming"]),
            (&json!("Hello"), &json!(false))
        );
        assert_eq!(widget["children"][1]["label"], "new");
    }

    #[test]
    fn tasks_and_images_are_replaced() {
        let task = |title| json!({"type": "custom", "title": title});
        let workflow = after(
            &json!({"type": "workflow", "workflow": {"type": "custom", "tasks": []}}),
            "workflow",
            &[
                json!({"type": "workflow.task.added", "task_index": 0, "task": task("a")}),
                json!({"type": "workflow.task.added", "task_index": 1, "task": task("b")}),
                json!({"type": "workflow.task.updated", "task_index": 0, "task": task("A")}),
            ],
        );
        let tasks = workflow["tasks"].as_array().expect("tasks");
        let titles: Vec<_> = tasks.iter().map(|task| &task["title"]).collect();
        assert_eq!(titles, ["A", "b"]);
        let image = after(
            &json!({"type": "generated_image"}),
            "image",
            &[
                json!({"type": "generated_image.updated", "image": {"id": "1", "url": "u"}, "progress": 0.5}),
            ],
        );
        assert_eq!(image["url"], "u");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let message = item(&json!({"type": "assistant_message", "content": []}));
        let card = item(&json!({"type": "widget", "widget": {"type": "Card", "children": []}}));
        for (item, update) in [
            (
                &message,
                json!({"type": "workflow.task.added", "task_index": 0, "task": {"type": "image"}}),
            ),
            (
                &message,
                json!({"type": "assistant_message.content_part.text_delta",
                "content_index": u32::MAX, "delta": "x"}),
            ),
            (
                &card,
                json!({"type": "widget.streaming_text.value_delta", "component_id": "no",
                "delta": "x", "done": true}),
            ),
        ] {
            let mut changed = item.clone();
            let update = serde_json::from_value(update).expect("an update");
            assert_eq!(changed.apply(&update), Err(NotApplicable));
            assert_eq!(changed, *item);
        }
    }
}
