//! Who is asked, in which order, and what is never asked again.

use std::collections::VecDeque;

use engine::ports::{ModelEvent, ToolCall};
use futures::stream;

use super::*;

type Events = Vec<Result<ModelEvent, ModelError>>;
type Script = Result<Events, ModelError>;

/// A model with answers in order, that remembers its questions.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Script>>,
    questions: Mutex<Vec<ModelRequest>>,
}

#[async_trait]
impl Model for Scripted {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        self.questions.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        Ok(Box::pin(stream::iter(answer.expect("an answer")?)))
    }
}

impl Scripted {
    fn push(&self, answer: Script) {
        self.answers.lock().unwrap().push_back(answer);
    }

    fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

fn says(text: &str) -> Events {
    let end = ModelEvent::Completed {
        is_truncated: false,
        usage: None,
    };
    vec![Ok(ModelEvent::TextDelta(text.to_owned())), Ok(end)]
}

fn request() -> ModelRequest {
    ModelRequest {
        model: "big".to_owned(),
        instructions: String::new(),
        input: vec![ModelInput::User("hi".into())],
        tools: Vec::new(),
        tool_choice: None,
        max_output_tokens: None,
        locale: None,
        end_user: String::new(),
        may_use_builtins: true,
    }
}

/// A model with one that stands in for it.
fn pair() -> (Fallback, Arc<Scripted>, Arc<Scripted>) {
    let (first, other) = (Arc::<Scripted>::default(), Arc::<Scripted>::default());
    let fallback = Fallback::new("first", first.clone()).or("other", other.clone(), "small".into());
    (fallback, first, other)
}

/// The text of an answer, or the error, before it or within.
async fn ask(model: &Fallback, request: ModelRequest) -> Result<String, ModelError> {
    let mut events = model.respond(request).await?;
    let mut said = String::new();
    while let Some(event) = events.next().await {
        if let ModelEvent::TextDelta(text) = event? {
            said.push_str(&text);
        }
    }
    Ok(said)
}

fn failures() -> [(ModelError, bool); 7] {
    [
        (ModelError::Unavailable("".into()), true),
        (ModelError::RateLimited("".into()), true),
        (ModelError::Misconfigured("".into()), true),
        (ModelError::TimedOut, true),
        (ModelError::Malformed("".into()), true),
        // The next one may take more.
        (ModelError::TooLong("".into()), true),
        (ModelError::Declined("".into()), false),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_next_model_answers_where_one_cannot_but_not_where_it_will_not() {
    for (error, is_passed_on) in failures() {
        let what = error.to_string();
        let (model, first, other) = pair();
        first.push(Err(error));
        other.push(Ok(says("ok")));
        let answer = ask(&model, request()).await;
        if is_passed_on {
            assert_eq!(answer.unwrap(), "ok", "{what}");
            assert_eq!(first.questions.lock().unwrap()[0].model, "big");
            assert_eq!(other.questions.lock().unwrap()[0].model, "small");
        } else {
            assert_eq!(answer.unwrap_err().to_string(), what);
            assert_eq!(other.asked(), 0);
        }
    }
}

#[tokio::test]
async fn nobody_else_is_asked_after_a_token() {
    let (model, first, other) = pair();
    let begun = Ok(ModelEvent::TextDelta("Hel".to_owned()));
    first.push(Ok(vec![begun, Err(ModelError::TimedOut)]));
    let error = ask(&model, request()).await.unwrap_err();
    assert!(matches!(error, ModelError::TimedOut));
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn where_none_can_the_first_ones_failure_is_told() {
    let (model, first, other) = pair();
    first.push(Err(ModelError::RateLimited("".into())));
    other.push(Err(ModelError::Misconfigured("".into())));
    let error = ask(&model, request()).await.unwrap_err();
    assert!(matches!(error, ModelError::RateLimited(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_could_not_answer_is_asked_last_for_a_while() {
    let (model, first, other) = pair();
    first.push(Err(ModelError::TimedOut));
    other.push(Ok(says("one")));
    other.push(Ok(says("two")));
    first.push(Ok(says("three")));
    assert_eq!(ask(&model, request()).await.unwrap(), "one");
    assert_eq!(ask(&model, request()).await.unwrap(), "two");
    assert_eq!(first.asked(), 1);
    tokio::time::advance(REST).await;
    assert_eq!(ask(&model, request()).await.unwrap(), "three");

    // Where both rest, the first one is asked first; what was too long for one question is not too long for all.
    first.push(Err(ModelError::TooLong("".into())));
    other.push(Err(ModelError::TimedOut));
    assert!(ask(&model, request()).await.is_err());
    first.push(Ok(says("four")));
    assert_eq!(ask(&model, request()).await.unwrap(), "four");
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_on_with_the_model_whose_thoughts_it_has_and_no_other_sees_them() {
    let (model, first, other) = pair();
    first.push(Err(ModelError::TimedOut));
    let thought = ModelEvent::Thought(Thought("sealed\nby other".to_owned()));
    let call = ToolCall {
        call_id: "1".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
    };
    other.push(Ok(vec![
        Ok(thought),
        Ok(ModelEvent::ToolCall(call.clone())),
    ]));
    let mut events = model.respond(request()).await.unwrap();
    let Some(Ok(ModelEvent::Thought(told))) = events.next().await else {
        unreachable!()
    };
    let mut again = request();
    again.input.extend([
        ModelInput::Thought(told),
        ModelInput::ToolCall(call),
        ModelInput::ToolOutput {
            call_id: "1".to_owned(),
            output: "seen".to_owned(),
            files: Vec::new(),
        },
    ]);
    // The first one has rested by now.
    tokio::time::advance(REST).await;
    other.push(Ok(says("ok")));
    assert_eq!(ask(&model, again.clone()).await.unwrap(), "ok");
    let thoughts = |model: &Scripted| {
        let questions = model.questions.lock().unwrap();
        let input = questions.last().unwrap().input.clone();
        let thoughts = input.into_iter().filter_map(|input| match input {
            ModelInput::Thought(thought) => Some(thought.0),
            _ => None,
        });
        thoughts.collect::<Vec<_>>()
    };
    assert_eq!(thoughts(&other), ["sealed\nby other"]);
    other.push(Err(ModelError::TimedOut));
    first.push(Ok(says("fine")));
    assert_eq!(ask(&model, again).await.unwrap(), "fine");
    assert!(thoughts(&first).is_empty());
}
