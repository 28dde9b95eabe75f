//! English: the wording that all others translate.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ".",
    bytes: "bytes",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "You stopped the answer. What came so far is kept.",
        Words::StoppedBeforeItBegan => {
            "You stopped the answer before it began. Ask again whenever you like."
        }
        Words::Abandoned => {
            "The answer was ended because nobody was waiting for it. What came so far is kept."
        }
        Words::Superseded => {
            "A newer message took the place of this answer. What came so far is kept."
        }
        Words::SupersededBeforeItBegan => {
            "A newer message took the place of this answer before it began."
        }
        Words::Restarting => {
            "The server is being restarted. What came so far is kept; try again in a moment."
        }
        Words::RestartingWhileWaiting => {
            "The server is being restarted. Your message is kept, and answered when you come back."
        }
        Words::SessionEnded => "this chat session was ended; reload the page to start a new one",
        Words::ConversationDeleted => "This conversation was deleted.",
        Words::TakenBack => "The message was taken back.",
        Words::Unanswered => {
            "The answer was interrupted before it began. Ask again whenever you like."
        }
        Words::AnsweredElsewhere => "The answer has ended. Reload the conversation to see it.",
        Words::LostFromQueue => {
            "This message does not wait here any more. Reload the conversation to see where it is."
        }
        Words::BrokenOff => "The answer broke off. What came so far is kept; try again.",
        Words::EmptyAnswer => {
            "The model gave an empty answer. Try again, or put the question differently."
        }
        Words::NoRoomToAnswer => {
            "The model reached its length limit before it could answer. Put the question more narrowly, or ask for one \
             part of it."
        }
        Words::ToolsUsedUp => {
            "The model has used its tools as often as it may in one answer, without coming to an end. What was done so \
             far is kept; ask to go on, or for less at once."
        }
        Words::EndedByToolLimit => {
            "The answer ended here because it has used its tools as often as it may. Ask to go on."
        }
        Words::CutOff => "The answer was cut off at its length limit. Ask to continue it.",
        Words::TooLongAnswer => {
            "The answer has grown longer than it may. What came so far is kept."
        }
        Words::TooSlowAnswer => {
            "The answer took longer than it may. What came so far is kept; try again."
        }
        Words::NotSaved => {
            "The answer could not be saved. Copy what you need, and try again in a moment."
        }
        Words::NotSavedForWantOfSpace => {
            "The answer could not be saved: the server's storage is full. Copy what you need, and tell whoever runs this \
             chat."
        }
        Words::AnotherAnswerHasBegun => {
            "Another answer has begun in this conversation. Reload it to see how it goes on."
        }
        Words::ModelUnavailable => {
            "The model cannot be reached at the moment. Try again in a little while."
        }
        Words::ModelOverloaded => {
            "The model is receiving too many requests. Wait a minute, then try again."
        }
        Words::ModelMisconfigured => {
            "The model refused this server's configuration. Please tell whoever runs this chat."
        }
        Words::ModelDeclined => "The model declined to answer this. Put the question differently.",
        Words::ModelTimedOut => {
            "The model did not answer in time. What came so far is kept; try again."
        }
        Words::ConversationTooLong => {
            "This conversation has grown too long for the model. Start a new chat to go on."
        }
        Words::AgentSilent => {
            "The assistant gave no answer. Try again, or put the question differently."
        }
        Words::AgentUnavailable => {
            "The assistant cannot be reached at the moment. Try again in a little while."
        }
        Words::AgentRefused => {
            "The assistant refused this server's request. Please tell whoever runs this chat."
        }
        Words::AgentTimedOut => {
            "The assistant did not answer in time. What came so far is kept; try again."
        }
        Words::Waiting => "Waiting for the answer before this one…",
        Words::UsedTools { names, more } => {
            let names = names.join(", ");
            return match more {
                0 => format!("Used {names}"),
                more => format!("Used {names} and {more} more"),
            }
            .into();
        }
        Words::Took { time } => return format!("Took {} s", NUMBERS.seconds(*time)).into(),
        Words::FailedAfter { time } => {
            return format!("Failed after {} s", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "web search",
        Words::FileSearch => "file search",
        Words::CodeInterpreter => "code interpreter",
        Words::ImageGeneration => "image generation",
        Words::RunTool { name } => return format!("Run {name}?").into(),
        Words::Allow => "Allow",
        Words::Refuse => "Refuse",
        Words::Allowed => "Allowed",
        Words::Refused => "Refused",
        Words::ServerAsks { server } => return format!("“{server}” asks you").into(),
        Words::NoPasswords => "A tool asks this. Do not enter passwords or keys.",
        Words::Agree => "Do you agree?",
        Words::Yes => "Yes",
        Words::No => "No",
        Words::Required => "required",
        Words::DefaultIs { value } => return format!("default: {value}").into(),
        Words::DoesNotFit { answer } => return format!("“{answer}” does not fit here.").into(),
        Words::ExpectEmail => "an e-mail address",
        Words::ExpectUri => "an address such as https://example.com",
        Words::ExpectDate => "a date such as 2026-11-30",
        Words::ExpectDateTime => "a date and time such as 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "a number",
        Words::ExpectWholeNumber => "a whole number",
        Words::ExpectChoice => "one of these",
        Words::AtLeast { least } => return format!("at least {least}").into(),
        Words::AtMost { most } => return format!("at most {most}").into(),
        Words::CharactersAtLeast { count } => {
            return format!("characters: at least {count}").into();
        }
        Words::CharactersAtMost { count } => return format!("characters: at most {count}").into(),
        Words::ChoicesAtLeast { count } => return format!("choose at least {count}").into(),
        Words::ChoicesAtMost { count } => return format!("choose at most {count}").into(),
        Words::ToolStoppedWaiting => {
            "The tool that asked this does not wait for an answer any more. What you answered is kept; ask again if it is still needed."
        }
        Words::NotFound => {
            "this conversation or message does not exist; start a new chat or reload the list"
        }
        Words::NoRun => {
            "no answer is running here that could be followed from there; load the conversation to see what it says"
        }
        Words::NotQueued => {
            "this message does not wait any more: it is being answered, or was taken back; load the conversation to see \
             it"
        }
        Words::RequestInProgress => {
            "the same request is being carried out already; send it again in a moment"
        }
        Words::AssistantUnavailable => {
            "the assistant cannot be reached at the moment; try again in a little while"
        }
        Words::AssistantTimedOut => {
            "the assistant did not answer in time; try again in a little while"
        }
        Words::AssistantUnable => {
            "the assistant does not do this, or not in a way that can be understood; tell whoever runs this chat"
        }
        Words::StoreBusy => "the store is busy; try again in a moment",
        Words::InternalError => "an internal error occurred",
        Words::ServerError => {
            "the server had an error while processing the request; try again, and tell the operator the x-request-id of \
             this answer if it stays"
        }
        Words::StorageFull => {
            "the server's storage is full, so nothing can be saved; tell whoever runs this chat, and try again later"
        }
        Words::StorageLost => {
            "the server has lost its database, so nothing can be saved; tell whoever runs this chat, and try again later"
        }
        Words::NoRoomForSession => {
            "the server's storage is full, so nothing can be saved; the operator has to make room"
        }
        Words::NoDatabaseForSession => {
            "the server has lost its database, so nothing can be saved; the operator has to restart it"
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "your conversations take more than the {limit} you may keep here; delete some of them, then send this \
                 again"
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "another answer has begun in this conversation; load it to see how it goes on"
        }
        Words::StillAnswering => {
            "this conversation is still being answered; wait for the answer, or stop it, then send this again"
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "{most} messages wait for an answer in this conversation already; wait for one, or take one back"
            )
            .into();
        }
        Words::Locked { reason } => return not_open("locked", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("closed", reason.as_deref()).into(),
        Words::EmptyMessage => "the message is empty; write something first",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "the message is longer than the {limit} it may have here; send a shorter one"
            )
            .into();
        }
        Words::TitleLength { most } => {
            return format!("a title has 1 to {most} characters").into();
        }
        Words::NothingToSearchFor => "type at least one word to search for",
        Words::NoToolWaits => {
            "no tool of this page is waiting for an answer in this conversation; reload it to see where it is"
        }
        Words::DecidedAlready => {
            "this has been decided already; reload the conversation to see how it went on"
        }
        Words::FormAnsweredAlready => {
            "this form has been answered already; reload the conversation to see the answers"
        }
        Words::ActionFailed => "this did not work; try again, or ask for it in a message",
        Words::ActionIncomplete => {
            "this action does not bring what it takes; reload the page, then try again"
        }
        // As OpenAI's own API says it.
        Words::UploadsDisabled => "File uploads are disabled for this session.",
        Words::FileTypeRefused => "Uploaded file type is not allowed for this session.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("the file is larger than the {limit} it may have; send a smaller one")
                .into();
        }
        Words::FileTooSlow => "the file did not arrive in time; send it again, or a smaller one",
        Words::FileBrokenOff => "the file broke off; send it again",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "your files would take more than the {limit} you may keep here; delete a conversation with files first"
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!("this chat session may send {most} files and has; start a new session")
                .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "you have {most} files that were never sent; send or remove some of them first"
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("a message can hold {most} files at most").into();
        }
        Words::NoSuchFile => "this file does not exist (any more); attach it again",
        Words::FileSentAlready => {
            "this file was sent already, or is just being sent; announce it again"
        }
        Words::FileIsPartOfMessage => {
            "this file is part of a message; delete the conversation to remove it"
        }
        Words::FileOfMessageIsGone => {
            "a file of this message is not there (any more); attach it again"
        }
        Words::PictureNotKept => "A picture that was made could not be kept, so it is not shown.",
        Words::FileOfMessageIsUsed => {
            "a file of this message is part of another one; attach it again"
        }
        Words::BodyTooSlow => "the request body did not arrive in time; send it again",
        Words::TooManyOpenRequests => {
            "this network address has as many requests open as it may; wait until one is answered"
        }
        Words::TooManyRequests => {
            "too many requests from this network address; wait a little and try again"
        }
        Words::TooManySessions => {
            "too many chat sessions were started or refreshed; wait a little and try again"
        }
        Words::TooManyAnswersForPerson => {
            "too many answers are being written for you at once; wait until one is complete, or stop one"
        }
        Words::TooManyAnswersForAddress => {
            "too many answers are being written for this network address at once; wait a little"
        }
        Words::TooManyAnswersInAll => {
            "this server writes as many answers as it can; try again in a moment"
        }
        Words::TooManyMessages => "too many messages in a short time; wait a little",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "this chat takes {most} messages in a minute; wait a little and send it again"
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "too many new visitors from this network address; try again later"
        }
        Words::TooManyVisitorsOfChat => {
            "this public chat has as many new visitors as it takes in an hour; come back a little later"
        }
        Words::TooManyMessagesOfVisitor => {
            "you have sent as many messages as this public chat takes in an hour; come back a little later"
        }
        Words::TooManyMessagesOfAddress => {
            "this public chat has taken as many messages from your network address as it may in a day; come back later"
        }
        Words::TooManyMessagesOfChat => {
            "this public chat has taken as many messages as it may in a day; come back later"
        }
        Words::NotSignedIn => "you are not signed in; sign in and try again",
        Words::AssistantNotOpen => {
            "the assistant of this chat is not open to you any more; reload the page to start a new chat"
        }
        Words::SignInUnchecked { seconds } => {
            return format!("sign-in cannot be checked at the moment; try again in {seconds} s")
                .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => {
            format!("this conversation is {state}: {reason}; start a new chat to go on")
        }
        None => format!("this conversation is {state}; start a new chat to go on"),
    }
}
