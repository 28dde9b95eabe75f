//! Speech to text: `POST /audio/transcriptions`, which OpenAI has and many servers speak (whisper.cpp, vLLM, Groq,
//! `LocalAI`).
//!
//! <https://platform.openai.com/docs/api-reference/audio/createTranscription>

use std::time::Duration;

use async_trait::async_trait;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use engine::{
    RequestContext,
    ports::{AgentError, ModelError, Speech, Transcriber},
};
use protocol::request::TranscriptionResult;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::{Provider, ProviderConfig};
use crate::{error::Error, http};

/// How long writing down a recording may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Browsers pad, and not all libraries do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// What recordings may be, and how a file of that kind is called: servers go by the name.
const KINDS: [(&str, &str); 7] = [
    ("audio/webm", "webm"),
    ("audio/ogg", "ogg"),
    ("audio/mp4", "mp4"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/flac", "flac"),
];

/// A model that writes down what people say.
#[derive(Debug, Clone)]
pub struct Transcriptions {
    provider: Provider,
    model: String,
}

impl Transcriptions {
    /// A model of this provider, by its name there.
    pub fn new(provider: ProviderConfig, model: String) -> Result<Self, Error> {
        Ok(Self {
            provider: Provider::new(provider)?,
            model,
        })
    }

    async fn ask(&self, form: Form) -> Result<TranscriptionResult, AgentError> {
        #[derive(Deserialize)]
        struct Answer {
            text: String,
        }
        let response = self
            .provider
            .post_form("audio/transcriptions", form)
            .await
            .map_err(of_model)?;
        let body = http::read_body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| AgentError::Malformed(error.into()))?;
        let Answer { text } =
            serde_json::from_slice(&body).map_err(|error| AgentError::Malformed(error.into()))?;
        Ok(TranscriptionResult {
            text: text.trim().to_owned(),
        })
    }
}

#[async_trait]
impl Transcriber for Transcriptions {
    async fn transcribe(
        &self,
        context: &RequestContext,
        speech: Speech,
    ) -> Result<TranscriptionResult, AgentError> {
        let (media_type, extension) = kind(&speech.mime_type)?;
        let bytes = BASE64.decode(&speech.audio_base64).map_err(|_| {
            AgentError::Invalid("the recording is not base64; record it again".to_owned())
        })?;
        if bytes.is_empty() {
            return Err(AgentError::Invalid(
                "the recording is empty; speak a little longer".to_owned(),
            ));
        }
        let file = Part::bytes(bytes)
            .file_name(format!("speech.{extension}"))
            .mime_str(media_type)
            .map_err(|error| AgentError::Malformed(error.into()))?;
        let mut form = Form::new()
            .text("model", self.model.clone())
            .text("response_format", "json")
            .part("file", file);
        // A hint only, by the language alone: models that know better go by what they hear.
        if let Some(language) = context
            .locale
            .as_deref()
            .and_then(|tag| tag.split('-').next())
            && language.len() == 2
        {
            form = form.text("language", language.to_ascii_lowercase());
        }
        tokio::time::timeout(PATIENCE, self.ask(form))
            .await
            .map_err(|_| AgentError::TimedOut)?
    }
}

/// A recording's media type without parameters, and how its files are called.
fn kind(mime_type: &str) -> Result<(&'static str, &'static str), AgentError> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    let known = KINDS
        .iter()
        .find(|(name, _)| essence.eq_ignore_ascii_case(name));
    known.copied().ok_or_else(|| {
        AgentError::Invalid(format!(
            "a recording of type `{}` cannot be written down; record audio/webm, audio/mp4 or audio/ogg",
            essence.chars().take(80).collect::<String>()
        ))
    })
}

/// What a provider's refusal means to somebody who dictates.
fn of_model(error: ModelError) -> AgentError {
    match error {
        ModelError::TimedOut => AgentError::TimedOut,
        ModelError::Unavailable(_) | ModelError::RateLimited(_) => {
            AgentError::Unavailable(error.into())
        }
        _ => AgentError::Refused(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        openai::MarkKey,
        testing::{BareServer, answer, context},
    };

    async fn written(server: &BareServer, speech: &Speech) -> Result<String, AgentError> {
        let provider = ProviderConfig {
            api_key: Some("k3y".into()),
            ..ProviderConfig::new(server.url("/v1").parse().unwrap(), MarkKey::new(&[1; 32]))
        };
        let model = Transcriptions::new(provider, "whisper-1".to_owned()).unwrap();
        let written = model.transcribe(&context(), speech.clone()).await;
        written.map(|written| written.text)
    }

    fn speech() -> Speech {
        Speech {
            audio_base64: "aGVhciBtZQ".to_owned(),
            mime_type: "audio/webm;codecs=opus".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_recording_goes_out_as_a_file_of_its_kind_and_comes_back_as_text() {
        let server = BareServer::start([answer("200 OK", "", "{\"text\":\" Guten Tag. \"}")]).await;
        assert_eq!(written(&server, &speech()).await.unwrap(), "Guten Tag.");
        let sent = server.requests().remove(0);
        assert!(sent.starts_with("POST /v1/audio/transcriptions "), "{sent}");
        for part in [
            "authorization: Bearer k3y",
            "name=\"model\"\r\n\r\nwhisper-1",
            "name=\"language\"\r\n\r\nde",
            "filename=\"speech.webm\"",
            "Content-Type: audio/webm\r\n\r\nhear me",
        ] {
            assert!(sent.contains(part), "{part} in {sent}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_recording_is_refused_in_words_and_goes_nowhere() {
        let server = BareServer::start([answer("200 OK", "", "{}")]).await;
        for (audio_base64, mime_type) in [
            ("AAAA", "video/mp4"),
            ("not base64!", "audio/webm"),
            ("", "audio/ogg"),
        ] {
            let speech = Speech {
                audio_base64: audio_base64.to_owned(),
                mime_type: mime_type.to_owned(),
            };
            let refused = written(&server, &speech).await;
            assert!(
                matches!(refused, Err(AgentError::Invalid(_))),
                "{refused:?}"
            );
        }
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        for (status, body, expected) in [
            ("503 Service Unavailable", "{}", "Unavailable"),
            ("401 Unauthorized", "{}", "Refused"),
            ("200 OK", "<html>", "Malformed"),
        ] {
            let server = BareServer::start([answer(status, "", body)]).await;
            let failed = format!("{:?}", written(&server, &speech()).await.unwrap_err());
            assert!(failed.starts_with(expected), "{status}: {failed}");
        }
    }
}
