//! German.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ",",
    bytes: "Byte",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "Sie haben die Antwort angehalten. Was schon da ist, bleibt erhalten.",
        Words::StoppedBeforeItBegan => {
            "Sie haben die Antwort angehalten, bevor sie begann. Fragen Sie erneut, wann immer Sie möchten."
        }
        Words::Abandoned => {
            "Die Antwort wurde beendet, weil niemand mehr auf sie gewartet hat. Was schon da ist, bleibt erhalten."
        }
        Words::Superseded => {
            "Eine neuere Nachricht ist an die Stelle dieser Antwort getreten. Was schon da ist, bleibt erhalten."
        }
        Words::SupersededBeforeItBegan => {
            "Eine neuere Nachricht ist an die Stelle dieser Antwort getreten, bevor sie begann."
        }
        Words::Restarting => {
            "Der Server wird neu gestartet. Was schon da ist, bleibt erhalten; versuchen Sie es gleich noch einmal."
        }
        Words::RestartingWhileWaiting => {
            "Der Server wird neu gestartet. Ihre Nachricht bleibt erhalten und wird beantwortet, wenn Sie wiederkommen."
        }
        Words::SessionEnded => {
            "Diese Chat-Sitzung wurde beendet; laden Sie die Seite neu, um eine neue zu beginnen."
        }
        Words::ConversationDeleted => "Diese Unterhaltung wurde gelöscht.",
        Words::TakenBack => "Die Nachricht wurde zurückgenommen.",
        Words::Unanswered => {
            "Die Antwort wurde unterbrochen, bevor sie begann. Fragen Sie erneut, wann immer Sie möchten."
        }
        Words::AnsweredElsewhere => {
            "Die Antwort ist zu Ende. Laden Sie die Unterhaltung neu, um sie zu sehen."
        }
        Words::LostFromQueue => {
            "Diese Nachricht wartet hier nicht mehr. Laden Sie die Unterhaltung neu, um zu sehen, wo sie ist."
        }
        Words::BrokenOff => {
            "Die Antwort ist abgebrochen. Was schon da ist, bleibt erhalten; versuchen Sie es noch einmal."
        }
        Words::EmptyAnswer => {
            "Das Modell hat eine leere Antwort gegeben. Versuchen Sie es noch einmal, oder stellen Sie die Frage anders."
        }
        Words::NoRoomToAnswer => {
            "Das Modell hat seine Längengrenze erreicht, bevor es antworten konnte. Stellen Sie die Frage enger, oder \
             fragen Sie nach einem Teil davon."
        }
        Words::ToolsUsedUp => {
            "Das Modell hat seine Werkzeuge so oft benutzt, wie es das in einer Antwort darf, ohne zu einem Ende zu \
             kommen. Was getan wurde, bleibt erhalten; bitten Sie darum fortzufahren, oder verlangen Sie weniger auf \
             einmal."
        }
        Words::EndedByToolLimit => {
            "Die Antwort endet hier, weil die Werkzeuge so oft benutzt wurden, wie sie es dürfen. Bitten Sie darum \
             fortzufahren."
        }
        Words::CutOff => {
            "Die Antwort wurde an ihrer Längengrenze abgeschnitten. Bitten Sie darum, sie fortzusetzen."
        }
        Words::TooLongAnswer => {
            "Die Antwort ist länger geworden, als sie sein darf. Was schon da ist, bleibt erhalten."
        }
        Words::TooSlowAnswer => {
            "Die Antwort hat länger gedauert, als sie darf. Was schon da ist, bleibt erhalten; versuchen Sie es noch \
             einmal."
        }
        Words::NotSaved => {
            "Die Antwort konnte nicht gespeichert werden. Kopieren Sie, was Sie brauchen, und versuchen Sie es gleich \
             noch einmal."
        }
        Words::NotSavedForWantOfSpace => {
            "Die Antwort konnte nicht gespeichert werden: Der Speicher des Servers ist voll. Kopieren Sie, was Sie \
             brauchen, und geben Sie den Betreibern dieses Chats Bescheid."
        }
        Words::AnotherAnswerHasBegun => {
            "In dieser Unterhaltung hat eine andere Antwort begonnen. Laden Sie sie neu, um zu sehen, wie es weitergeht."
        }
        Words::ModelUnavailable => {
            "Das Modell ist im Moment nicht erreichbar. Versuchen Sie es in Kürze noch einmal."
        }
        Words::ModelOverloaded => {
            "Das Modell erhält zu viele Anfragen. Warten Sie eine Minute, und versuchen Sie es dann noch einmal."
        }
        Words::ModelMisconfigured => {
            "Das Modell hat die Konfiguration dieses Servers abgelehnt. Bitte geben Sie den Betreibern dieses Chats \
             Bescheid."
        }
        Words::ModelDeclined => {
            "Das Modell hat es abgelehnt, darauf zu antworten. Stellen Sie die Frage anders."
        }
        Words::ModelTimedOut => {
            "Das Modell hat nicht rechtzeitig geantwortet. Was schon da ist, bleibt erhalten; versuchen Sie es noch \
             einmal."
        }
        Words::ConversationTooLong => {
            "Diese Unterhaltung ist für das Modell zu lang geworden. Beginnen Sie einen neuen Chat, um fortzufahren."
        }
        Words::AgentSilent => {
            "Der Assistent hat keine Antwort gegeben. Versuchen Sie es noch einmal, oder stellen Sie die Frage anders."
        }
        Words::AgentUnavailable => {
            "Der Assistent ist im Moment nicht erreichbar. Versuchen Sie es in Kürze noch einmal."
        }
        Words::AgentRefused => {
            "Der Assistent hat die Anfrage dieses Servers abgelehnt. Bitte geben Sie den Betreibern dieses Chats \
             Bescheid."
        }
        Words::AgentTimedOut => {
            "Der Assistent hat nicht rechtzeitig geantwortet. Was schon da ist, bleibt erhalten; versuchen Sie es noch \
             einmal."
        }
        Words::Waiting => "Wartet auf die Antwort davor …",
        Words::UsedTools { names, more } => {
            let names = names.join(", ");
            return match more {
                0 => format!("{names} benutzt"),
                more => format!("{names} und {more} weitere benutzt"),
            }
            .into();
        }
        Words::Took { time } => {
            return format!("Dauerte {} s", NUMBERS.seconds(*time)).into();
        }
        Words::FailedAfter { time } => {
            return format!("Fehlgeschlagen nach {} s", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "Websuche",
        Words::FileSearch => "Dateisuche",
        Words::CodeInterpreter => "Code-Interpreter",
        Words::ImageGeneration => "Bilderzeugung",
        Words::RunTool { name } => return format!("{name} ausführen?").into(),
        Words::Allow => "Erlauben",
        Words::Refuse => "Ablehnen",
        Words::Allowed => "Erlaubt",
        Words::Refused => "Abgelehnt",
        Words::ServerAsks { server } => return format!("„{server}“ fragt Sie").into(),
        Words::NoPasswords => {
            "Das fragt ein Werkzeug. Geben Sie keine Passwörter oder Schlüssel ein."
        }
        Words::Agree => "Sind Sie einverstanden?",
        Words::Yes => "Ja",
        Words::No => "Nein",
        Words::Required => "erforderlich",
        Words::DefaultIs { value } => return format!("Vorgabe: {value}").into(),
        Words::DoesNotFit { answer } => return format!("„{answer}“ passt hier nicht.").into(),
        Words::ExpectEmail => "eine E-Mail-Adresse",
        Words::ExpectUri => "eine Adresse wie https://example.com",
        Words::ExpectDate => "ein Datum wie 2026-11-30",
        Words::ExpectDateTime => "Datum und Uhrzeit wie 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "eine Zahl",
        Words::ExpectWholeNumber => "eine ganze Zahl",
        Words::ExpectChoice => "eine von diesen",
        Words::AtLeast { least } => return format!("mindestens {least}").into(),
        Words::AtMost { most } => return format!("höchstens {most}").into(),
        Words::CharactersAtLeast { count } => return format!("Zeichen: mindestens {count}").into(),
        Words::CharactersAtMost { count } => return format!("Zeichen: höchstens {count}").into(),
        Words::ChoicesAtLeast { count } => return format!("wählen Sie mindestens {count}").into(),
        Words::ChoicesAtMost { count } => return format!("wählen Sie höchstens {count}").into(),
        Words::ToolStoppedWaiting => {
            "Das Werkzeug, das danach gefragt hat, wartet nicht mehr auf eine Antwort. Ihre Angaben bleiben erhalten; fragen Sie erneut, falls es noch nötig ist."
        }
        Words::NotFound => {
            "Diese Unterhaltung oder Nachricht gibt es nicht; beginnen Sie einen neuen Chat, oder laden Sie die Liste \
             neu."
        }
        Words::NoRun => {
            "Hier läuft keine Antwort, der von dort aus gefolgt werden könnte; laden Sie die Unterhaltung, um zu sehen, \
             was darin steht."
        }
        Words::NotQueued => {
            "Diese Nachricht wartet nicht mehr: Sie wird gerade beantwortet oder wurde zurückgenommen; laden Sie die \
             Unterhaltung, um sie zu sehen."
        }
        Words::RequestInProgress => {
            "Dieselbe Anfrage wird schon ausgeführt; senden Sie sie gleich noch einmal."
        }
        Words::AssistantUnavailable => {
            "Der Assistent ist im Moment nicht erreichbar; versuchen Sie es in Kürze noch einmal."
        }
        Words::AssistantTimedOut => {
            "Der Assistent hat nicht rechtzeitig geantwortet; versuchen Sie es in Kürze noch einmal."
        }
        Words::AssistantUnable => {
            "Der Assistent kann das nicht, oder nicht so, dass er zu verstehen wäre; geben Sie den Betreibern dieses \
             Chats Bescheid."
        }
        Words::StoreBusy => "Der Speicher ist ausgelastet; versuchen Sie es gleich noch einmal.",
        Words::InternalError => "Es ist ein interner Fehler aufgetreten.",
        Words::ServerError => {
            "Beim Bearbeiten der Anfrage ist auf dem Server ein Fehler aufgetreten; versuchen Sie es noch einmal, und \
             nennen Sie den Betreibern die x-request-id dieser Antwort, wenn er bleibt."
        }
        Words::StorageFull => {
            "Der Speicher des Servers ist voll, es kann also nichts gespeichert werden; geben Sie den Betreibern dieses \
             Chats Bescheid, und versuchen Sie es später noch einmal."
        }
        Words::StorageLost => {
            "Der Server hat seine Datenbank verloren, es kann also nichts gespeichert werden; geben Sie den Betreibern \
             dieses Chats Bescheid, und versuchen Sie es später noch einmal."
        }
        Words::NoRoomForSession => {
            "Der Speicher des Servers ist voll, es kann also nichts gespeichert werden; die Betreiber müssen Platz \
             schaffen."
        }
        Words::NoDatabaseForSession => {
            "Der Server hat seine Datenbank verloren, es kann also nichts gespeichert werden; die Betreiber müssen ihn \
             neu starten."
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Ihre Unterhaltungen nehmen mehr als die {limit} ein, die Sie hier aufbewahren dürfen; löschen Sie \
                 einige davon, und senden Sie dies dann noch einmal."
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "In dieser Unterhaltung hat eine andere Antwort begonnen; laden Sie sie, um zu sehen, wie es weitergeht."
        }
        Words::StillAnswering => {
            "In dieser Unterhaltung wird noch geantwortet; warten Sie die Antwort ab, oder halten Sie sie an, und senden \
             Sie dies dann noch einmal."
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "In dieser Unterhaltung warten schon {most} Nachrichten auf eine Antwort; warten Sie eine ab, oder \
                 nehmen Sie eine zurück."
            )
            .into();
        }
        Words::Locked { reason } => return not_open("gesperrt", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("geschlossen", reason.as_deref()).into(),
        Words::EmptyMessage => "Die Nachricht ist leer; schreiben Sie zuerst etwas.",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Die Nachricht ist länger als die {limit}, die sie hier haben darf; senden Sie eine kürzere."
            )
            .into();
        }
        Words::TitleLength { most } => {
            return format!("Ein Titel hat 1 bis {most} Zeichen.").into();
        }
        Words::NothingToSearchFor => {
            "Geben Sie mindestens ein Wort ein, nach dem gesucht werden soll."
        }
        Words::NoToolWaits => {
            "In dieser Unterhaltung wartet kein Werkzeug dieser Seite auf eine Antwort; laden Sie sie neu, um zu sehen, \
             wo sie steht."
        }
        Words::DecidedAlready => {
            "Darüber wurde schon entschieden; laden Sie die Unterhaltung neu, um zu sehen, wie es weiterging."
        }
        Words::FormAnsweredAlready => {
            "Dieses Formular wurde schon ausgefüllt; laden Sie die Unterhaltung neu, um die Antworten zu sehen."
        }
        Words::ActionFailed => {
            "Das hat nicht geklappt; versuchen Sie es noch einmal, oder bitten Sie in einer Nachricht darum."
        }
        Words::ActionIncomplete => {
            "Dieser Aktion fehlen Angaben; laden Sie die Seite neu, und versuchen Sie es dann noch einmal."
        }
        Words::UploadsDisabled => "In dieser Sitzung können keine Dateien gesendet werden.",
        Words::FileTypeRefused => "Dateien dieses Typs sind in dieser Sitzung nicht erlaubt.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Die Datei ist größer als die {limit}, die sie haben darf; senden Sie eine kleinere."
            )
            .into();
        }
        Words::FileTooSlow => {
            "Die Datei ist nicht rechtzeitig angekommen; senden Sie sie noch einmal, oder eine kleinere."
        }
        Words::FileBrokenOff => {
            "Die Übertragung der Datei ist abgebrochen; senden Sie sie noch einmal."
        }
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Ihre Dateien nähmen mehr als die {limit} ein, die Sie hier aufbewahren dürfen; löschen Sie zuerst eine \
                 Unterhaltung mit Dateien."
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!(
                "Diese Chat-Sitzung darf {most} Dateien senden und hat es getan; beginnen Sie eine neue Sitzung."
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "Sie haben {most} Dateien, die nie gesendet wurden; senden oder entfernen Sie zuerst einige davon."
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("Eine Nachricht kann höchstens {most} Dateien enthalten.").into();
        }
        Words::NoSuchFile => "Diese Datei gibt es nicht (mehr); fügen Sie sie noch einmal an.",
        Words::FileSentAlready => {
            "Diese Datei wurde schon gesendet oder wird gerade gesendet; fügen Sie sie noch einmal an."
        }
        Words::FileIsPartOfMessage => {
            "Diese Datei ist Teil einer Nachricht; löschen Sie die Unterhaltung, um sie zu entfernen."
        }
        Words::FileOfMessageIsGone => {
            "Eine Datei dieser Nachricht ist nicht (mehr) da; fügen Sie sie noch einmal an."
        }
        Words::PictureNotKept => {
            "Ein Bild, das erstellt wurde, konnte nicht gespeichert werden und wird deshalb nicht angezeigt."
        }
        Words::FileOfMessageIsUsed => {
            "Eine Datei dieser Nachricht ist Teil einer anderen; fügen Sie sie noch einmal an."
        }
        Words::BodyTooSlow => {
            "Die Anfrage ist nicht rechtzeitig angekommen; senden Sie sie noch einmal."
        }
        Words::TooManyOpenRequests => {
            "Von dieser Netzwerkadresse sind so viele Anfragen offen, wie es sein dürfen; warten Sie, bis eine \
             beantwortet ist."
        }
        Words::TooManyRequests => {
            "Zu viele Anfragen von dieser Netzwerkadresse; warten Sie ein wenig, und versuchen Sie es noch einmal."
        }
        Words::TooManySessions => {
            "Zu viele Chat-Sitzungen wurden begonnen oder erneuert; warten Sie ein wenig, und versuchen Sie es noch \
             einmal."
        }
        Words::TooManyAnswersForPerson => {
            "Für Sie werden zu viele Antworten zugleich geschrieben; warten Sie, bis eine fertig ist, oder halten Sie \
             eine an."
        }
        Words::TooManyAnswersForAddress => {
            "Für diese Netzwerkadresse werden zu viele Antworten zugleich geschrieben; warten Sie ein wenig."
        }
        Words::TooManyAnswersInAll => {
            "Dieser Server schreibt so viele Antworten, wie er kann; versuchen Sie es gleich noch einmal."
        }
        Words::TooManyMessages => "Zu viele Nachrichten in kurzer Zeit; warten Sie ein wenig.",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "Dieser Chat nimmt {most} Nachrichten in der Minute an; warten Sie ein wenig, und senden Sie sie noch \
                 einmal."
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "Zu viele neue Besucher von dieser Netzwerkadresse; versuchen Sie es später noch einmal."
        }
        Words::TooManyVisitorsOfChat => {
            "Dieser öffentliche Chat hat so viele neue Besucher, wie er in einer Stunde aufnimmt; kommen Sie etwas \
             später wieder."
        }
        Words::TooManyMessagesOfVisitor => {
            "Sie haben so viele Nachrichten gesendet, wie dieser öffentliche Chat in einer Stunde annimmt; kommen Sie \
             etwas später wieder."
        }
        Words::TooManyMessagesOfAddress => {
            "Dieser öffentliche Chat hat von Ihrer Netzwerkadresse so viele Nachrichten angenommen, wie er an einem Tag \
             darf; kommen Sie später wieder."
        }
        Words::TooManyMessagesOfChat => {
            "Dieser öffentliche Chat hat so viele Nachrichten angenommen, wie er an einem Tag darf; kommen Sie später \
             wieder."
        }
        Words::NotSignedIn => {
            "Sie sind nicht angemeldet; melden Sie sich an, und versuchen Sie es noch einmal."
        }
        Words::AssistantNotOpen => {
            "Der Assistent dieses Chats steht Ihnen nicht mehr offen; laden Sie die Seite neu, um einen neuen Chat zu \
             beginnen."
        }
        Words::SignInUnchecked { seconds } => {
            return format!(
                "Die Anmeldung kann im Moment nicht geprüft werden; versuchen Sie es in {seconds} s noch einmal."
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!(
            "Diese Unterhaltung ist {state}: {reason}; beginnen Sie einen neuen Chat, um fortzufahren."
        ),
        None => format!(
            "Diese Unterhaltung ist {state}; beginnen Sie einen neuen Chat, um fortzufahren."
        ),
    }
}
