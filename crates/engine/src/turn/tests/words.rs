//! What a person reads of a turn, in their language.

use super::*;

fn in_language(language: Language) -> Play {
    Play::of(Start {
        language,
        ..start(Titles::Off)
    })
}

impl Play {
    /// What was said in notices and errors.
    fn said(&self) -> Vec<&str> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Emit(Event::Error(error)) => error.message.as_deref(),
                Effect::Emit(Event::Notice(notice)) => Some(&*notice.message),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_turn_ends_in_the_persons_language() {
    for (language, stopped, failed, cut) in [
        (
            Language::German,
            "Sie haben die Antwort angehalten. Was schon da ist, bleibt erhalten.",
            "Das Modell ist im Moment nicht erreichbar. Versuchen Sie es in Kürze noch einmal.",
            "Die Antwort wurde an ihrer Längengrenze abgeschnitten. Bitten Sie darum, sie fortzusetzen.",
        ),
        (
            Language::Japanese,
            "回答を停止しました。ここまでの内容は保存されています。",
            "現在、モデルに接続できません。しばらくしてからもう一度お試しください。",
            "回答は長さの上限で打ち切られました。続けるように頼んでください。",
        ),
        (
            Language::Arabic,
            "تم إيقاف الإجابة بطلب منك. ما وصل حتى الآن محفوظ.",
            "يتعذّر الوصول إلى النموذج في الوقت الحالي. يُرجى المحاولة مجددًا بعد قليل.",
            "قُطعت الإجابة عند حدّ طولها. يُرجى طلب إكمالها.",
        ),
        (
            Language::English,
            "You stopped the answer. What came so far is kept.",
            "The model cannot be reached at the moment. Try again in a little while.",
            "The answer was cut off at its length limit. Ask to continue it.",
        ),
    ] {
        let play = in_language(language).text("so far");
        let play = play.on(Input::Cancelled(Why::Stopped));
        assert_eq!(play.said(), [stopped]);
        let error = ModelError::Unavailable("refused".into());
        let play = in_language(language).on(Input::ModelFailed(error));
        assert_eq!(play.said(), [failed]);
        let play = in_language(language).text(&"x".repeat(65));
        assert_eq!(play.said(), [cut]);
        let play = in_language(language)
            .text("so far")
            .on(Input::SaveFailed(NotSaved::Failed));
        assert_eq!(play.said(), [Words::NotSaved.text(language)]);
    }
}

#[test]
fn what_the_model_is_told_stays_english() {
    let play = in_language(Language::Japanese)
        .text("so far")
        .on(Input::Cancelled(Why::Stopped));
    let saved = serde_json::to_string(&play.saved()).expect("json");
    assert!(
        saved.contains("The user stopped the answer above."),
        "{saved}"
    );
    assert!(!saved.contains("停止"), "{saved}");
}

#[test]
fn consent_is_asked_for_and_work_is_summed_up_in_the_persons_language() {
    for (language, expected) in [
        (
            Language::German,
            [
                "delete ausführen?",
                "Erlauben",
                "Ablehnen",
                "delete, list benutzt",
                "Dauerte 0,0 s",
            ],
        ),
        (
            Language::Japanese,
            [
                "delete を実行しますか？",
                "許可",
                "拒否",
                "delete、list を使用",
                "所要時間：0.0 秒",
            ],
        ),
        (
            Language::Arabic,
            [
                "هل تريد تشغيل delete؟",
                "سماح",
                "رفض",
                "استُخدم: delete، list",
                "استغرق 0.0 ث",
            ],
        ),
        (
            Language::English,
            [
                "Run delete?",
                "Allow",
                "Refuse",
                "Used delete, list",
                "Took 0.0 s",
            ],
        ),
    ] {
        let play = in_language(language)
            .tool("delete")
            .tool("list")
            .completed()
            .on(Input::Tool(0, ToolEvent::NeedsApproval))
            .tool_done(1, "files");
        let saved = serde_json::to_value(play.saved()).expect("json");
        let of_type = |kind: &str| {
            let items = saved.as_array().expect("items");
            items
                .iter()
                .find(|item| item["type"] == kind)
                .expect("an item")
        };
        let card = &of_type("widget")["widget"];
        let work = &of_type("workflow")["workflow"];
        assert_eq!(
            [
                &card["children"][0]["value"],
                &card["confirm"]["label"],
                &card["cancel"]["label"],
                &work["summary"]["title"],
            ],
            expected[..4]
        );
        let took = work["tasks"][1]["content"].as_str().expect("text");
        assert!(took.contains(expected[4]), "{took}");
    }
}

#[test]
fn the_providers_tools_are_called_by_their_names_in_the_persons_language() {
    let event = |id: &str, work| {
        Input::Model(ModelEvent::Builtin(BuiltinEvent {
            id: id.to_owned(),
            state: BuiltinState::Done,
            work,
        }))
    };
    let search = BuiltinWork::WebSearch {
        queries: Vec::new(),
        sources: Vec::new(),
    };
    let code = BuiltinWork::CodeInterpreter {
        code: "1".to_owned(),
        logs: Vec::new(),
    };
    let play = in_language(Language::German)
        .on(event("a", search))
        .on(event("b", code))
        .text("done")
        .completed();
    let saved = serde_json::to_string(&play.saved()).expect("json");
    assert!(
        saved.contains("Websuche, Code-Interpreter benutzt"),
        "{saved}"
    );
}
