//! What holds for any request, and for any bytes.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use protocol::action::Action;
use protocol::item::{InferenceOptions, StructuredAnswer, ToolChoice, UserContent, UserTag};
use protocol::request::{
    AttachmentsCreate, AttachmentsDelete, CustomAction, FeedbackKind, InputTranscribe,
    ItemsFeedback, ItemsList, Order, StructuredInputSubmission, SubmissionStatus,
    ThreadsAddClientToolOutput, ThreadsAddStructuredInput, ThreadsAddUserMessage, ThreadsCancel,
    ThreadsCreate, ThreadsDelete, ThreadsGetById, ThreadsList, ThreadsResume,
    ThreadsRetryAfterItem, ThreadsSearch, ThreadsUpdate, UserMessageInput,
};
use protocol::{
    AttachmentId, Cursor, Envelope, ItemId, JsonObject, Limits, Position, Request, RequestKind,
    ThreadId,
};
use serde_json::{Number, Value};

fn id<T: for<'a> TryFrom<&'a str> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[A-Za-z0-9_.:-]{1,40}"
        .prop_map(|text| T::try_from(&text).unwrap_or_else(|_| panic!("{text} is an id")))
}

/// Any text that a request may hold: everything but U+0000.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', "0"))
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = JsonObject> {
    btree_map(text(), json(), 0..4).prop_map(|fields| fields.into_iter().collect())
}

/// Where null and absent mean the same, we write the value only if there is one.
fn not_null() -> impl Strategy<Value = Option<Value>> {
    option::of(json()).prop_map(|value| value.filter(|value| !value.is_null()))
}

fn content() -> impl Strategy<Value = UserContent> {
    let tag = (text(), text(), object(), option::of(text()), any::<bool>());
    prop_oneof![
        text().prop_map(|text| UserContent::Text { text }),
        tag.prop_map(|(id, text, data, group, interactive)| {
            UserContent::Tag(UserTag {
                id,
                text,
                data,
                group,
                interactive,
            })
        }),
    ]
}

fn message() -> impl Strategy<Value = UserMessageInput> {
    let options = (option::of(text()), option::of(text()));
    (
        vec(content(), 0..4),
        vec(id(), 0..4),
        option::of(text()),
        options,
    )
        .prop_map(
            |(content, attachments, quoted_text, (tool, model))| UserMessageInput {
                content,
                attachments,
                quoted_text,
                inference_options: InferenceOptions {
                    tool_choice: tool.map(|id| ToolChoice { id }),
                    model,
                },
            },
        )
}

fn custom_action() -> impl Strategy<Value = CustomAction> {
    (id(), option::of(id()), text(), not_null()).prop_map(|(thread_id, item_id, name, payload)| {
        CustomAction {
            thread_id,
            item_id,
            action: Action { name, payload },
        }
    })
}

fn submission() -> impl Strategy<Value = StructuredInputSubmission> {
    let status = prop_oneof![
        Just(SubmissionStatus::Answered),
        Just(SubmissionStatus::Skipped)
    ];
    let answer = (vec(text(), 0..3), any::<bool>())
        .prop_map(|(values, skipped)| StructuredAnswer { values, skipped });
    (status, btree_map(text(), answer, 0..3))
        .prop_map(|(status, answers)| StructuredInputSubmission { status, answers })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Asc), Just(Order::Desc)]
}

fn thread() -> impl Strategy<Value = ThreadId> {
    id()
}

fn item() -> impl Strategy<Value = ItemId> {
    id()
}

/// A new request does not compile until it is here.
fn request(kind: RequestKind) -> BoxedStrategy<Request> {
    match kind {
        RequestKind::ThreadsCreate => message()
            .prop_map(|input| Request::ThreadsCreate(ThreadsCreate { input }))
            .boxed(),
        RequestKind::ThreadsAddUserMessage => (thread(), message())
            .prop_map(|(thread_id, input)| {
                Request::ThreadsAddUserMessage(ThreadsAddUserMessage { thread_id, input })
            })
            .boxed(),
        RequestKind::ThreadsAddClientToolOutput => (thread(), json())
            .prop_map(|(thread_id, result)| {
                Request::ThreadsAddClientToolOutput(ThreadsAddClientToolOutput {
                    thread_id,
                    result,
                })
            })
            .boxed(),
        RequestKind::ThreadsAddStructuredInput => (thread(), item(), submission())
            .prop_map(|(thread_id, item_id, input)| {
                Request::ThreadsAddStructuredInput(ThreadsAddStructuredInput {
                    thread_id,
                    item_id,
                    input,
                })
            })
            .boxed(),
        RequestKind::ThreadsRetryAfterItem => (thread(), item())
            .prop_map(|(thread_id, item_id)| {
                Request::ThreadsRetryAfterItem(ThreadsRetryAfterItem { thread_id, item_id })
            })
            .boxed(),
        RequestKind::ThreadsCustomAction => custom_action()
            .prop_map(Request::ThreadsCustomAction)
            .boxed(),
        RequestKind::ThreadsSyncCustomAction => custom_action()
            .prop_map(Request::ThreadsSyncCustomAction)
            .boxed(),
        RequestKind::ThreadsResume => (thread(), option::of((id(), any::<u64>())))
            .prop_map(|(thread_id, after)| {
                let after = after.map(|(run, position)| Cursor {
                    run,
                    position: Position(position),
                });
                Request::ThreadsResume(ThreadsResume { thread_id, after })
            })
            .boxed(),
        RequestKind::ThreadsCancel => (thread(), option::of(item()))
            .prop_map(|(thread_id, item_id)| {
                Request::ThreadsCancel(ThreadsCancel { thread_id, item_id })
            })
            .boxed(),
        RequestKind::ThreadsGetById => thread()
            .prop_map(|thread_id| Request::ThreadsGetById(ThreadsGetById { thread_id }))
            .boxed(),
        RequestKind::ThreadsList => (option::of(any::<u32>()), order(), option::of(thread()))
            .prop_map(|(limit, order, after)| {
                Request::ThreadsList(ThreadsList {
                    limit,
                    order,
                    after,
                })
            })
            .boxed(),
        RequestKind::ThreadsSearch => (text(), option::of(any::<u32>()), option::of(thread()))
            .prop_map(|(query, limit, after)| {
                Request::ThreadsSearch(ThreadsSearch {
                    query,
                    limit,
                    after,
                })
            })
            .boxed(),
        RequestKind::ThreadsUpdate => (thread(), text())
            .prop_map(|(thread_id, title)| {
                Request::ThreadsUpdate(ThreadsUpdate { thread_id, title })
            })
            .boxed(),
        RequestKind::ThreadsDelete => thread()
            .prop_map(|thread_id| Request::ThreadsDelete(ThreadsDelete { thread_id }))
            .boxed(),
        RequestKind::ItemsList => (
            thread(),
            option::of(any::<u32>()),
            order(),
            option::of(item()),
        )
            .prop_map(|(thread_id, limit, order, after)| {
                Request::ItemsList(ItemsList {
                    thread_id,
                    limit,
                    order,
                    after,
                })
            })
            .boxed(),
        RequestKind::ItemsFeedback => (thread(), vec(item(), 0..4), any::<bool>())
            .prop_map(|(thread_id, item_ids, is_positive)| {
                let kind = if is_positive {
                    FeedbackKind::Positive
                } else {
                    FeedbackKind::Negative
                };
                Request::ItemsFeedback(ItemsFeedback {
                    thread_id,
                    item_ids,
                    kind,
                })
            })
            .boxed(),
        RequestKind::AttachmentsCreate => (text(), any::<u64>(), text())
            .prop_map(|(name, size, mime_type)| {
                Request::AttachmentsCreate(AttachmentsCreate {
                    name,
                    size,
                    mime_type,
                })
            })
            .boxed(),
        RequestKind::AttachmentsDelete => id::<AttachmentId>()
            .prop_map(|attachment_id| {
                Request::AttachmentsDelete(AttachmentsDelete { attachment_id })
            })
            .boxed(),
        RequestKind::InputTranscribe => (text(), text())
            .prop_map(|(audio_base64, mime_type)| {
                Request::InputTranscribe(InputTranscribe {
                    audio_base64,
                    mime_type,
                })
            })
            .boxed(),
    }
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let request = proptest::sample::select(RequestKind::ALL).prop_flat_map(request);
    (request, object()).prop_map(|(request, metadata)| Envelope { request, metadata })
}

fn body(envelope: &Envelope) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("writable")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_read_as_it_was_written(envelope in envelope()) {
        prop_assert_eq!(Envelope::parse(&body(&envelope), &Limits::default()), Ok(envelope));
    }

    #[test]
    fn any_beginning_of_a_request_is_refused(envelope in envelope(), at in any::<proptest::sample::Index>()) {
        let body = body(&envelope);
        let end = at.index(body.len());
        prop_assert!(Envelope::parse(&body[..end], &Limits::default()).is_err());
    }

    #[test]
    fn a_changed_request_is_read_or_refused_in_words(
        envelope in envelope(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut body = body(&envelope);
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Err(error) = Envelope::parse(&body, &Limits::default()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_bytes_are_refused_in_words(bytes in vec(any::<u8>(), 0..300)) {
        let error = Envelope::parse(&bytes, &Limits::default()).expect_err("no request");
        prop_assert!(!error.to_string().is_empty());
    }
}
