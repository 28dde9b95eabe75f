//! Why an answer ended, in the words of all the servers that say so.
//!
//! Sources: the references of OpenAI, Anthropic, Gemini, Mistral, `DeepSeek` and Zhipu, and what their gateways make of them.

use serde_json::Value;

use crate::openai::lenient;

/// How an answer ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Whole,
    /// It had no more room.
    Truncated,
}

/// What a choice says of its end. A gateway may call everything a stop, or an error, and beside that have the word of the
/// model's own server (`OpenRouter`), which counts where it is a failure.
pub(super) fn of_choice(choice: &Value) -> Option<Result<Finish, &'static str>> {
    // Gemini has written its own name for it.
    let names = ["finish_reason", "finishReason"];
    let said = names
        .iter()
        .find_map(|name| of(&lenient::text(&choice[name])))?;
    let native = of(&lenient::text(&choice["native_finish_reason"]));
    Some(native.filter(Result::is_err).unwrap_or(said))
}

/// What a `finish_reason` says; `None` where it says nothing, and the code of an error where the answer failed.
pub(super) fn of(reason: &str) -> Option<Result<Finish, &'static str>> {
    let reason = reason.trim().to_ascii_lowercase().replace('-', "_");
    // `content_filter: RECITATION`
    let word = reason.split([':', ' ']).next().unwrap_or_default();
    Some(match word {
        "" | "null" | "none" | "undefined" => return None,
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "max_length"
        | "model_length"
        | "token_limit"
        | "model_context_window_exceeded" => Ok(Finish::Truncated),
        "content_filter"
        | "content_filtered"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii"
        | "image_safety"
        | "sensitive"
        | "guardrail_intervened" => Err("content_filter"),
        "error" | "failed" | "network_error" | "server_error" | "abort" | "aborted" | "cancel"
        | "cancelled" | "canceled" | "timeout" => Err("error"),
        // DeepSeek
        "insufficient_system_resource" => Err("overloaded_error"),
        // The model's own slip, which it seldom makes twice (Gemini; `function_call_filter: …` at its OpenAI endpoint).
        "function_call_filter"
        | "malformed_function_call"
        | "malformed_response"
        | "unexpected_tool_call" => Err("tool_use_failed"),
        _ => Ok(Finish::Whole),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_is_told_from_a_failure_and_from_nothing() {
        for (reasons, expected) in [
            (&["", "null", " None "][..], None),
            (
                &["stop", "tool_calls", "end_turn", "STOP", "whatever"][..],
                Some(Ok(Finish::Whole)),
            ),
            (
                &["length", "MAX_TOKENS", "model_length", "max-output-tokens"][..],
                Some(Ok(Finish::Truncated)),
            ),
            (
                &["content_filter", "content_filter: RECITATION", "SAFETY"][..],
                Some(Err("content_filter")),
            ),
            (
                &["error", "network_error", "abort", "Cancelled"][..],
                Some(Err("error")),
            ),
            (
                &[
                    "MALFORMED_FUNCTION_CALL",
                    "UNEXPECTED_TOOL_CALL",
                    "function_call_filter: MALFORMED_FUNCTION_CALL",
                ][..],
                Some(Err("tool_use_failed")),
            ),
        ] {
            for reason in reasons {
                assert_eq!(of(reason), expected, "{reason}");
            }
        }
    }

    #[test]
    fn a_failure_of_the_models_own_server_counts_whatever_the_gateway_calls_it() {
        for (reason, native, expected) in [
            ("stop", "network_error", Some(Err("error"))),
            (
                "error",
                "MALFORMED_FUNCTION_CALL",
                Some(Err("tool_use_failed")),
            ),
            ("stop", "completed", Some(Ok(Finish::Whole))),
            ("length", "STOP", Some(Ok(Finish::Truncated))),
            ("", "network_error", None),
        ] {
            let choice = json!({ "finish_reason": reason, "native_finish_reason": native });
            assert_eq!(of_choice(&choice), expected, "{choice}");
        }
        let choice = json!({ "finish_reason": null, "finishReason": "MAX_TOKENS" });
        assert_eq!(of_choice(&choice), Some(Ok(Finish::Truncated)));
    }
}
