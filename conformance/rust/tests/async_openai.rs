//! The hosted API as users of `async-openai` (crates.io) meet it: every method of its `ChatKit`
//! client, against the server that `TEST_API_BASE_URL` names.
//!
//! Its `ThreadResource` looks for the status beside the thread's other fields, where `OpenAI`'s
//! schema has it below `status`; threads are therefore read into a type of our own, by the methods
//! that the client has for that (`…_byot`).
#![cfg(test)]

use std::env;

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    traits::RequestOptionsBuilder,
    types::chatkit::{
        ChatSessionResource, ChatSessionStatus, CreateChatSessionBody, ExpiresAfterParam,
        ListChatKitThreadItemsOrder, ListChatKitThreadItemsQuery, ListChatKitThreadsOrder,
        ListChatKitThreadsQuery, RateLimitsParam, ThreadItem, ThreadStatus, UserMessageContent,
        WorkflowParam,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The workflow that the server under test has.
const WORKFLOW: &str = "id";

#[derive(Debug, Deserialize, PartialEq)]
struct Thread {
    id: String,
    object: String,
    created_at: u64,
    title: Option<String>,
    status: ThreadStatus,
    user: String,
}

#[derive(Debug, Deserialize)]
struct Threads {
    object: String,
    data: Vec<Thread>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

fn environment(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the runner tells a test where its server is"
    )]
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: conformance/run.mjs sets it"))
}

fn client_with(key: &str) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new()
        .with_api_base(environment("TEST_API_BASE_URL"))
        .with_api_key(key)
        .with_header("OpenAI-Beta", "chatkit_beta=v1")
        .unwrap();
    Client::with_config(config)
}

fn client() -> Client<OpenAIConfig> {
    client_with(&environment("TEST_API_KEY"))
}

/// A user of this test alone, so that tests do not meet.
fn fresh_user() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests at the same server must not meet"
    )]
    let id = uuid::Uuid::new_v4();
    format!("user-{id}")
}

fn session_of(user: &str) -> CreateChatSessionBody {
    CreateChatSessionBody {
        workflow: WorkflowParam {
            id: WORKFLOW.to_owned(),
            ..WorkflowParam::default()
        },
        user: user.to_owned(),
        ..CreateChatSessionBody::default()
    }
}

async fn open(user: &str) -> ChatSessionResource {
    client()
        .chatkit()
        .sessions()
        .create(session_of(user))
        .await
        .unwrap()
}

/// Sends a `ChatKit` request with a client secret, as the page does.
async fn converse(secret: &str, body: &Value) -> reqwest::Response {
    #[expect(
        clippy::disallowed_methods,
        reason = "a stranger's client, not an outgoing call of the product"
    )]
    let http = reqwest::Client::new();
    http.post(format!(
        "{}/chatkit/conversation",
        environment("TEST_API_BASE_URL")
    ))
    .bearer_auth(secret)
    .json(body)
    .send()
    .await
    .unwrap()
}

fn question(text: &str) -> Value {
    json!({
        "type": "threads.create",
        "params": {
            "input": {
                "content": [{"type": "input_text", "text": text}],
                "attachments": [],
                "inference_options": {},
            },
        },
    })
}

/// Runs a turn in a new thread and gives the thread's id and the answer's text.
async fn ask(secret: &str, text: &str) -> (String, String) {
    let response = converse(secret, &question(text)).await;
    assert_eq!(response.status(), 200);
    let body = response.text().await.unwrap();
    let events: Vec<Value> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let created = events
        .iter()
        .find(|event| event["type"] == "thread.created")
        .unwrap_or_else(|| panic!("no thread was created: {body}"));
    let answer = events
        .iter()
        .filter(|event| event["type"] == "thread.item.done")
        .find(|event| event["item"]["type"] == "assistant_message")
        .unwrap_or_else(|| panic!("no answer came: {body}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        text(&created["thread"]["id"]),
        text(&answer["item"]["content"][0]["text"]),
    )
}

/// The status, `param` and `code` of an answer that refuses.
fn refusal<T: std::fmt::Debug>(
    answer: Result<T, OpenAIError>,
) -> (u16, Option<String>, Option<String>) {
    match answer {
        Err(OpenAIError::ApiError(answer)) => (
            answer.status_code.as_u16(),
            answer.api_error.param,
            answer.api_error.code,
        ),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_session_has_the_defaults_of_the_schema() {
    let user = fresh_user();
    let session = open(&user).await;
    assert!(session.id.starts_with("cksess_"), "{}", session.id);
    assert_eq!(session.object, "chatkit.session");
    assert!(session.client_secret.starts_with("ek_"));
    assert_eq!(session.user, user);
    assert_eq!(session.status, ChatSessionStatus::Active);
    assert_eq!(session.workflow.id, WORKFLOW);
    assert!(session.workflow.tracing.enabled);
    assert_eq!(session.rate_limits.max_requests_per_1_minute, 10);
    assert_eq!(session.max_requests_per_1_minute, 10);
    let configuration = session.chatkit_configuration;
    assert!(configuration.automatic_thread_titling.enabled);
    assert!(!configuration.file_upload.enabled);
    assert!(configuration.history.enabled);
    assert_eq!(configuration.history.recent_threads, None);
}

#[tokio::test]
async fn a_cancelled_session_takes_no_more_requests() {
    let session = open(&fresh_user()).await;
    let cancelled = client()
        .chatkit()
        .sessions()
        .cancel(&session.id)
        .await
        .unwrap();
    assert_eq!(cancelled.id, session.id);
    assert_eq!(cancelled.status, ChatSessionStatus::Cancelled);
    assert_eq!(cancelled.client_secret, "");
    let response = converse(&session.client_secret, &question("Hello?")).await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn a_conversation_is_read_back() {
    let client = client();
    let user = fresh_user();
    let secret = open(&user).await.client_secret;
    let (id, answer) = ask(&secret, "What is the weather?").await;

    let thread: Thread = client.chatkit().threads().retrieve_byot(&id).await.unwrap();
    assert_eq!(thread.object, "chatkit.thread");
    assert_eq!((&thread.id, &thread.user), (&id, &user));
    assert_eq!(thread.status, ThreadStatus::Active);
    // When this fails, the client has been mended: use its own type here.
    let typed = client.chatkit().threads().retrieve(&id).await;
    assert!(matches!(typed, Err(OpenAIError::JSONDeserialize(..))));

    let page = client.chatkit().threads().list_items(&id).await.unwrap();
    assert_eq!(page.object, "list");
    assert!(!page.has_more);
    // Newest first.
    let [
        ThreadItem::AssistantMessage(said),
        ThreadItem::UserMessage(asked),
    ] = &page.data[..]
    else {
        panic!("expected a question and an answer: {:?}", page.data);
    };
    assert_eq!(said.content[0].text, answer);
    assert_eq!(
        asked.content,
        [UserMessageContent::InputText {
            text: "What is the weather?".to_owned()
        }]
    );
    assert_eq!(asked.thread_id, id);
    assert_eq!(page.first_id.as_ref(), Some(&said.id));
    assert_eq!(page.last_id.as_ref(), Some(&asked.id));

    let first = client
        .chatkit()
        .threads()
        .query(&ListChatKitThreadItemsQuery {
            limit: Some(1),
            order: Some(ListChatKitThreadItemsOrder::Asc),
            ..ListChatKitThreadItemsQuery::default()
        })
        .unwrap()
        .list_items(&id)
        .await
        .unwrap();
    assert!(first.has_more);
    assert_eq!(first.last_id.as_ref(), Some(&asked.id));
}

#[tokio::test]
async fn threads_are_listed_by_user_and_deleted() {
    let client = client();
    let user = fresh_user();
    let secret = open(&user).await.client_secret;
    let (older, _) = ask(&secret, "One").await;
    let (newer, _) = ask(&secret, "Two").await;
    let query = ListChatKitThreadsQuery {
        limit: Some(1),
        order: Some(ListChatKitThreadsOrder::Desc),
        user: Some(user.clone()),
        ..ListChatKitThreadsQuery::default()
    };
    let list = async |query: &ListChatKitThreadsQuery| -> Threads {
        let chatkit = client.chatkit();
        let threads = chatkit.threads().query(query).unwrap();
        threads.list_byot().await.unwrap()
    };

    let page = list(&query).await;
    assert_eq!(page.object, "list");
    assert_eq!(page.data[0].id, newer);
    assert!(page.has_more);
    assert_eq!(page.first_id.as_ref(), Some(&newer));
    let rest = list(&ListChatKitThreadsQuery {
        after: page.last_id,
        ..query.clone()
    })
    .await;
    assert_eq!(rest.data[0].id, older);
    assert!(!rest.has_more);

    let deleted = client.chatkit().threads().delete(&newer).await.unwrap();
    assert_eq!(deleted.id, newer);
    assert_eq!(deleted.object, "chatkit.thread.deleted");
    assert!(deleted.deleted);
    let left = list(&query).await;
    assert_eq!(left.data.len(), 1);
    assert_eq!(left.data[0].id, older);
    let gone: Result<Thread, _> = client.chatkit().threads().retrieve_byot(&newer).await;
    assert_eq!(refusal(gone).0, 404);
}

#[tokio::test]
async fn refusals_say_which_parameter_and_why() {
    let client = client();
    let chatkit = client.chatkit();
    let user = fresh_user();

    let mut body = session_of(&user);
    body.expires_after = Some(ExpiresAfterParam {
        anchor: "created_at".to_owned(),
        seconds: 601,
    });
    let (status, param, _) = refusal(chatkit.sessions().create(body).await);
    assert_eq!(
        (status, param.as_deref()),
        (400, Some("expires_after.seconds"))
    );

    let mut body = session_of(&user);
    body.workflow.id = "wf_nowhere".to_owned();
    assert_eq!(refusal(chatkit.sessions().create(body).await).0, 404);

    let (status, param, code) = refusal(chatkit.sessions().cancel("id").await);
    assert_eq!(status, 400);
    assert_eq!(param.as_deref(), Some("session_id"));
    assert_eq!(code.as_deref(), Some("invalid_value"));
    assert_eq!(
        refusal(chatkit.sessions().cancel("cksess_nowhere").await).0,
        404
    );

    let stranger = client_with("sk-of-somebody-else");
    let (status, _, code) = refusal(
        stranger
            .chatkit()
            .sessions()
            .create(session_of(&user))
            .await,
    );
    assert_eq!((status, code.as_deref()), (401, Some("invalid_api_key")));
}

#[tokio::test]
async fn a_sessions_own_rate_limit_is_kept() {
    let mut body = session_of(&fresh_user());
    body.rate_limits = Some(RateLimitsParam {
        max_requests_per_1_minute: Some(1),
    });
    let session = client().chatkit().sessions().create(body).await.unwrap();
    assert_eq!(session.max_requests_per_1_minute, 1);
    ask(&session.client_secret, "One").await;
    let refused = converse(&session.client_secret, &question("Two")).await;
    assert_eq!(refused.status(), 429);
    let seconds = refused.headers()["retry-after"].to_str().unwrap();
    assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()));
}
