//! Tool calls that a person has to allow: the card that asks them, and what a click on it means.

use protocol::{
    ItemId, ThreadId, ThreadItem, WidgetRoot,
    action::{Action, ActionConfig},
    item::WidgetItem,
    widget::{Card, CardAction, CardSize, Markdown, Title, WidgetStatus},
};
use serde_json::{Value, json};

use crate::{
    ports::Moment,
    turn::{Kept, fenced},
    words::{Language, Words},
};

const ALLOW: &str = "vestibule.tool.allow";
const REFUSE: &str = "vestibule.tool.refuse";
/// How much of a call's arguments is shown, in bytes. Nobody can allow what they cannot read: what is longer says so.
const MAX_ARGUMENTS: usize = 8_000;

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    Refuse,
}

/// The decision that an action means, with the record of the call that it is about.
pub(crate) fn decision(action: &Action) -> Option<(Decision, ItemId)> {
    let decision = match action.name.as_str() {
        ALLOW => Decision::Allow,
        REFUSE => Decision::Refuse,
        _ => return None,
    };
    let call = action.payload.as_ref()?.get("call")?.as_str()?;
    Some((decision, call.parse().ok()?))
}

/// The item that asks whether a call may run.
pub(crate) fn card(
    thread: &ThreadId,
    kept: &Kept,
    Moment { now, id }: Moment,
    language: Language,
) -> ThreadItem {
    let button = |label: Words, name: &str| CardAction {
        label: label.text(language).into_owned(),
        action: ActionConfig::new(name, Some(json!({"call": kept.record}))),
    };
    WidgetItem {
        id: ItemId::mint(id),
        thread_id: thread.clone(),
        created_at: now,
        widget: WidgetRoot::from(Card {
            confirm: Some(button(Words::Allow, ALLOW)),
            cancel: Some(button(Words::Refuse, REFUSE)),
            ..body(kept, language)
        }),
        copy_text: None,
    }
    .into()
}

/// The same item once the person has decided.
pub(crate) fn decided(
    card: &WidgetItem,
    kept: &Kept,
    decision: Decision,
    language: Language,
) -> ThreadItem {
    let (words, icon) = match decision {
        Decision::Allow => (Words::Allowed, "check-circle"),
        Decision::Refuse => (Words::Refused, "circle-question"),
    };
    let status = json!({"text": words.text(language), "icon": icon});
    WidgetItem {
        widget: WidgetRoot::from(Card {
            status: serde_json::from_value::<WidgetStatus>(status).ok(),
            ..body(kept, language)
        }),
        ..card.clone()
    }
    .into()
}

fn body(kept: &Kept, language: Language) -> Card {
    let question = Words::RunTool {
        name: kept.call.name.clone(),
    };
    let arguments = match serde_json::from_str::<Value>(&kept.call.arguments) {
        Ok(arguments) => format!("{arguments:#}"),
        Err(_) => kept.call.arguments.clone(),
    };
    Card {
        size: Some(CardSize::Md),
        children: vec![
            Title {
                value: question.text(language).into_owned(),
                ..Title::default()
            }
            .into(),
            Markdown {
                value: fenced("json", &arguments, MAX_ARGUMENTS),
                ..Markdown::default()
            }
            .into(),
        ],
        ..Card::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ToolCall;

    #[test]
    fn a_click_on_the_card_means_its_own_call() {
        let kept = Kept {
            call: ToolCall {
                call_id: "c".to_owned(),
                name: "delete_file".to_owned(),
                arguments: r#"{"path":"/a"}"#.to_owned(),
            },
            record: ItemId::mint(7),
            at: "2026-11-23T12:00:00Z".parse().expect("a time"),
            round: None,
        };
        let moment = Moment {
            now: kept.at,
            id: 8,
        };
        let thread = ThreadId::mint(1);
        let ThreadItem::Widget(item) = card(&thread, &kept, moment, Language::German) else {
            panic!("a widget")
        };
        let shown = serde_json::to_value(&item.widget).expect("json");
        assert!(
            shown["children"][1]["value"]
                .as_str()
                .expect("text")
                .contains("\"/a\"")
        );
        for (button, expected) in [("confirm", Decision::Allow), ("cancel", Decision::Refuse)] {
            let action =
                serde_json::from_value(shown[button]["action"].clone()).expect("an action");
            assert_eq!(decision(&action), Some((expected, kept.record.clone())));
            let after = serde_json::to_value(decided(&item, &kept, expected, Language::German))
                .expect("json");
            assert_eq!(after["widget"].get("confirm"), None);
            let said = match expected {
                Decision::Allow => "Erlaubt",
                Decision::Refuse => "Abgelehnt",
            };
            assert_eq!(after["widget"]["status"]["text"], said);
        }
    }
}
