//! Messages over a program's standard input and output, where an answer says by its number what it answers.
//!
//! Some programs give every answer the same number. Where only one question is open, an answer that belongs to none can
//! only be meant for that one; with several, nobody could say, and each waits for its own.

use rmcp::{
    RoleClient,
    model::{
        ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    },
    transport::Transport,
};

use super::message::is_same;

/// A transport that knows which questions are open.
pub(super) struct Pipes<T> {
    inner: T,
    open: Vec<RequestId>,
}

impl<T> Pipes<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            open: Vec::new(),
        }
    }

    fn asks(&mut self, message: &ClientJsonRpcMessage) {
        match message {
            JsonRpcMessage::Request(request) => self.open.push(request.id.clone()),
            JsonRpcMessage::Notification(message) => {
                if let ClientNotification::CancelledNotification(cancelled) = &message.notification
                {
                    let cancelled = cancelled.params.request_id.as_ref();
                    self.open.retain(|open| Some(open) != cancelled);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }

    fn answers(&mut self, message: &mut ServerJsonRpcMessage) {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&mut response.id),
            // What has no number may be about anything, a notification of ours for example.
            JsonRpcMessage::Error(refusal) => refusal.id.as_mut(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        let Some(id) = id else { return };
        if let Some(position) = self.open.iter().position(|open| is_same(open, id)) {
            self.open.swap_remove(position);
        } else if let [only] = self.open.as_slice() {
            id.clone_from(only);
            self.open.clear();
        }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Pipes<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.asks(&message);
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        let mut message = self.inner.receive().await?;
        self.answers(&mut message);
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(pipes: &mut Pipes<()>, message: Value) {
        pipes.asks(&serde_json::from_value(message).unwrap());
    }

    /// The number that an answer with this number comes to have.
    fn answered(pipes: &mut Pipes<()>, id: &Value) -> Value {
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
        let mut answer = serde_json::from_value(answer).unwrap();
        pipes.answers(&mut answer);
        serde_json::to_value(answer).unwrap()["id"].clone()
    }

    #[test]
    fn an_answer_to_nothing_is_that_of_the_only_question() {
        let pipes = &mut Pipes::new(());
        let list = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
        ask(pipes, list(0));
        assert_eq!(answered(pipes, &json!(0)), 0);
        ask(pipes, list(1));
        assert_eq!(answered(pipes, &json!(0)), 1);
        assert_eq!(answered(pipes, &json!(0)), 0, "nothing is open");
        ask(pipes, list(2));
        assert_eq!(answered(pipes, &json!("2")), "2", "the library reads that");
        ask(pipes, list(3));
        ask(pipes, list(4));
        assert_eq!(answered(pipes, &json!(0)), 0, "it may be either's");
        let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } });
        ask(pipes, cancelled);
        assert_eq!(answered(pipes, &json!(0)), 4);
        ask(pipes, list(5));
        let mut refusal = serde_json::from_value(
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": "a" } }),
        )
        .unwrap();
        pipes.answers(&mut refusal);
        assert_eq!(
            answered(pipes, &json!(0)),
            5,
            "an error of nothing is none of it"
        );
    }
}
