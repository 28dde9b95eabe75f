//! French.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ",",
    bytes: "octets",
    units: ["Ko", "Mo", "Go", "To"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "Vous avez arrêté la réponse. Ce qui est déjà là est conservé.",
        Words::StoppedBeforeItBegan => {
            "Vous avez arrêté la réponse avant qu’elle ne commence. Reposez votre question quand vous voulez."
        }
        Words::Abandoned => {
            "La réponse a été interrompue, car plus personne ne l’attendait. Ce qui est déjà là est conservé."
        }
        Words::Superseded => {
            "Un message plus récent a pris la place de cette réponse. Ce qui est déjà là est conservé."
        }
        Words::SupersededBeforeItBegan => {
            "Un message plus récent a pris la place de cette réponse avant qu’elle ne commence."
        }
        Words::Restarting => {
            "Le serveur redémarre. Ce qui est déjà là est conservé ; réessayez dans un instant."
        }
        Words::RestartingWhileWaiting => {
            "Le serveur redémarre. Votre message est conservé et recevra une réponse à votre retour."
        }
        Words::SessionEnded => {
            "Cette session de chat a pris fin ; rechargez la page pour en commencer une nouvelle."
        }
        Words::ConversationDeleted => "Cette conversation a été supprimée.",
        Words::TakenBack => "Le message a été retiré.",
        Words::Unanswered => {
            "La réponse a été interrompue avant de commencer. Reposez votre question quand vous voulez."
        }
        Words::AnsweredElsewhere => {
            "La réponse est terminée. Rechargez la conversation pour la voir."
        }
        Words::LostFromQueue => {
            "Ce message n’attend plus ici. Rechargez la conversation pour voir où il se trouve."
        }
        Words::BrokenOff => {
            "La réponse s’est interrompue. Ce qui est déjà là est conservé ; réessayez."
        }
        Words::EmptyAnswer => {
            "Le modèle a donné une réponse vide. Réessayez ou formulez la question autrement."
        }
        Words::NoRoomToAnswer => {
            "Le modèle a atteint sa limite de longueur avant de pouvoir répondre. Posez une question plus précise ou \
             n’en demandez qu’une partie."
        }
        Words::ToolsUsedUp => {
            "Le modèle a utilisé ses outils autant de fois qu’une réponse le permet, sans arriver au bout. Ce qui a été \
             fait est conservé ; demandez-lui de continuer, ou moins de choses à la fois."
        }
        Words::EndedByToolLimit => {
            "La réponse s’arrête ici, car les outils ont été utilisés autant de fois que permis. Demandez de continuer."
        }
        Words::CutOff => {
            "La réponse a été coupée à sa limite de longueur. Demandez qu’elle soit poursuivie."
        }
        Words::TooLongAnswer => {
            "La réponse est devenue plus longue que permis. Ce qui est déjà là est conservé."
        }
        Words::TooSlowAnswer => {
            "La réponse a pris plus de temps que permis. Ce qui est déjà là est conservé ; réessayez."
        }
        Words::NotSaved => {
            "La réponse n’a pas pu être enregistrée. Copiez ce dont vous avez besoin et réessayez dans un instant."
        }
        Words::NotSavedForWantOfSpace => {
            "La réponse n’a pas pu être enregistrée : le stockage du serveur est plein. Copiez ce dont vous avez besoin \
             et prévenez les responsables de ce chat."
        }
        Words::AnotherAnswerHasBegun => {
            "Une autre réponse a commencé dans cette conversation. Rechargez-la pour voir la suite."
        }
        Words::ModelUnavailable => {
            "Le modèle est injoignable pour le moment. Réessayez dans quelques instants."
        }
        Words::ModelOverloaded => {
            "Le modèle reçoit trop de demandes. Attendez une minute, puis réessayez."
        }
        Words::ModelMisconfigured => {
            "Le modèle a refusé la configuration de ce serveur. Veuillez prévenir les responsables de ce chat."
        }
        Words::ModelDeclined => {
            "Le modèle a refusé de répondre à cela. Formulez la question autrement."
        }
        Words::ModelTimedOut => {
            "Le modèle n’a pas répondu à temps. Ce qui est déjà là est conservé ; réessayez."
        }
        Words::ConversationTooLong => {
            "Cette conversation est devenue trop longue pour le modèle. Commencez un nouveau chat pour continuer."
        }
        Words::AgentSilent => {
            "L’assistant n’a donné aucune réponse. Réessayez ou formulez la question autrement."
        }
        Words::AgentUnavailable => {
            "L’assistant est injoignable pour le moment. Réessayez dans quelques instants."
        }
        Words::AgentRefused => {
            "L’assistant a refusé la demande de ce serveur. Veuillez prévenir les responsables de ce chat."
        }
        Words::AgentTimedOut => {
            "L’assistant n’a pas répondu à temps. Ce qui est déjà là est conservé ; réessayez."
        }
        Words::Waiting => "En attente de la réponse précédente…",
        Words::UsedTools { names, more } => {
            let names = names.join(", ");
            return match more {
                0 => format!("Utilisé : {names}"),
                1 => format!("Utilisé : {names} et 1 autre"),
                more => format!("Utilisé : {names} et {more} autres"),
            }
            .into();
        }
        Words::Took { time } => return format!("Durée : {} s", NUMBERS.seconds(*time)).into(),
        Words::FailedAfter { time } => {
            return format!("Échec au bout de {} s", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "recherche sur le Web",
        Words::FileSearch => "recherche dans les fichiers",
        Words::CodeInterpreter => "interpréteur de code",
        Words::ImageGeneration => "génération d’images",
        Words::RunTool { name } => return format!("Exécuter {name} ?").into(),
        Words::Allow => "Autoriser",
        Words::Refuse => "Refuser",
        Words::Allowed => "Autorisé",
        Words::Refused => "Refusé",
        Words::ServerAsks { server } => return format!("« {server} » vous demande").into(),
        Words::NoPasswords => "C’est un outil qui le demande. N’indiquez ni mot de passe ni clé.",
        Words::Agree => "Êtes-vous d’accord ?",
        Words::Yes => "Oui",
        Words::No => "Non",
        Words::Required => "obligatoire",
        Words::DefaultIs { value } => return format!("par défaut : {value}").into(),
        Words::DoesNotFit { answer } => return format!("« {answer} » ne convient pas ici.").into(),
        Words::ExpectEmail => "une adresse e-mail",
        Words::ExpectUri => "une adresse comme https://example.com",
        Words::ExpectDate => "une date comme 2026-11-30",
        Words::ExpectDateTime => "une date et une heure comme 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "un nombre",
        Words::ExpectWholeNumber => "un nombre entier",
        Words::ExpectChoice => "l’un de ceux-ci",
        Words::AtLeast { least } => return format!("au moins {least}").into(),
        Words::AtMost { most } => return format!("au plus {most}").into(),
        Words::CharactersAtLeast { count } => {
            return format!("caractères : au moins {count}").into();
        }
        Words::CharactersAtMost { count } => return format!("caractères : au plus {count}").into(),
        Words::ChoicesAtLeast { count } => return format!("choisissez-en au moins {count}").into(),
        Words::ChoicesAtMost { count } => return format!("choisissez-en au plus {count}").into(),
        Words::ToolStoppedWaiting => {
            "L’outil qui posait cette question n’attend plus de réponse. Vos réponses sont conservées ; redemandez si c’est encore utile."
        }
        Words::NotFound => {
            "Cette conversation ou ce message n’existe pas ; commencez un nouveau chat ou rechargez la liste."
        }
        Words::NoRun => {
            "Aucune réponse en cours ne peut être suivie à partir de là ; chargez la conversation pour voir ce qu’elle \
             contient."
        }
        Words::NotQueued => {
            "Ce message n’attend plus : il est en train de recevoir une réponse ou a été retiré ; chargez la \
             conversation pour le voir."
        }
        Words::RequestInProgress => {
            "La même demande est déjà en cours ; renvoyez-la dans un instant."
        }
        Words::AssistantUnavailable => {
            "L’assistant est injoignable pour le moment ; réessayez dans quelques instants."
        }
        Words::AssistantTimedOut => {
            "L’assistant n’a pas répondu à temps ; réessayez dans quelques instants."
        }
        Words::AssistantUnable => {
            "L’assistant ne sait pas faire cela, ou pas d’une façon compréhensible ; prévenez les responsables de ce \
             chat."
        }
        Words::StoreBusy => "Le stockage est occupé ; réessayez dans un instant.",
        Words::InternalError => "Une erreur interne s’est produite.",
        Words::ServerError => {
            "Une erreur s’est produite sur le serveur pendant le traitement de la demande ; réessayez et, si elle \
             persiste, communiquez aux responsables le x-request-id de cette réponse."
        }
        Words::StorageFull => {
            "Le stockage du serveur est plein, rien ne peut donc être enregistré ; prévenez les responsables de ce chat \
             et réessayez plus tard."
        }
        Words::StorageLost => {
            "Le serveur a perdu sa base de données, rien ne peut donc être enregistré ; prévenez les responsables de ce \
             chat et réessayez plus tard."
        }
        Words::NoRoomForSession => {
            "Le stockage du serveur est plein, rien ne peut donc être enregistré ; les responsables doivent faire de la \
             place."
        }
        Words::NoDatabaseForSession => {
            "Le serveur a perdu sa base de données, rien ne peut donc être enregistré ; les responsables doivent le \
             redémarrer."
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Vos conversations occupent plus que les {limit} que vous pouvez conserver ici ; supprimez-en \
                 quelques-unes, puis renvoyez ceci."
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "Une autre réponse a commencé dans cette conversation ; chargez-la pour voir la suite."
        }
        Words::StillAnswering => {
            "Une réponse est encore en cours dans cette conversation ; attendez-la ou arrêtez-la, puis renvoyez ceci."
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "{most} messages attendent déjà une réponse dans cette conversation ; attendez-en une ou retirez un \
                 message."
            )
            .into();
        }
        Words::Locked { reason } => return not_open("verrouillée", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("fermée", reason.as_deref()).into(),
        Words::EmptyMessage => "Le message est vide ; écrivez d’abord quelque chose.",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Le message dépasse les {limit} permis ici ; envoyez-en un plus court."
            )
            .into();
        }
        Words::TitleLength { most } => {
            return format!("Un titre compte de 1 à {most} caractères.").into();
        }
        Words::NothingToSearchFor => "Saisissez au moins un mot à rechercher.",
        Words::NoToolWaits => {
            "Aucun outil de cette page n’attend de réponse dans cette conversation ; rechargez-la pour voir où elle en \
             est."
        }
        Words::DecidedAlready => {
            "La décision a déjà été prise ; rechargez la conversation pour voir la suite."
        }
        Words::FormAnsweredAlready => {
            "Ce formulaire a déjà été rempli ; rechargez la conversation pour voir les réponses."
        }
        Words::ActionFailed => {
            "Cela n’a pas fonctionné ; réessayez ou demandez-le dans un message."
        }
        Words::ActionIncomplete => {
            "Il manque des données à cette action ; rechargez la page, puis réessayez."
        }
        Words::UploadsDisabled => "L’envoi de fichiers est désactivé pour cette session.",
        Words::FileTypeRefused => "Ce type de fichier n’est pas autorisé pour cette session.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("Le fichier dépasse les {limit} permis ; envoyez-en un plus petit.")
                .into();
        }
        Words::FileTooSlow => {
            "Le fichier n’est pas arrivé à temps ; renvoyez-le ou envoyez-en un plus petit."
        }
        Words::FileBrokenOff => "L’envoi du fichier s’est interrompu ; renvoyez-le.",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Vos fichiers occuperaient plus que les {limit} que vous pouvez conserver ici ; supprimez d’abord une \
                 conversation contenant des fichiers."
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!(
                "Cette session de chat a envoyé les {most} fichiers auxquels elle a droit ; commencez une nouvelle \
                 session."
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "Vous avez {most} fichiers qui n’ont jamais été envoyés ; envoyez-en ou retirez-en d’abord \
                 quelques-uns."
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("Un message peut contenir {most} fichiers au maximum.").into();
        }
        Words::NoSuchFile => "Ce fichier n’existe pas (ou plus) ; joignez-le de nouveau.",
        Words::FileSentAlready => {
            "Ce fichier a déjà été envoyé ou est en cours d’envoi ; joignez-le de nouveau."
        }
        Words::FileIsPartOfMessage => {
            "Ce fichier fait partie d’un message ; supprimez la conversation pour l’enlever."
        }
        Words::FileOfMessageIsGone => {
            "Un fichier de ce message n’est pas (ou plus) là ; joignez-le de nouveau."
        }
        Words::PictureNotKept => {
            "Une image créée n’a pas pu être conservée ; elle n’est donc pas affichée."
        }
        Words::FileOfMessageIsUsed => {
            "Un fichier de ce message fait partie d’un autre ; joignez-le de nouveau."
        }
        Words::BodyTooSlow => "La demande n’est pas arrivée à temps ; renvoyez-la.",
        Words::TooManyOpenRequests => {
            "Cette adresse réseau a autant de demandes en cours que permis ; attendez que l’une d’elles aboutisse."
        }
        Words::TooManyRequests => {
            "Trop de demandes depuis cette adresse réseau ; attendez un peu et réessayez."
        }
        Words::TooManySessions => {
            "Trop de sessions de chat ont été ouvertes ou renouvelées ; attendez un peu et réessayez."
        }
        Words::TooManyAnswersForPerson => {
            "Trop de réponses sont rédigées pour vous en même temps ; attendez que l’une d’elles soit terminée, ou \
             arrêtez-en une."
        }
        Words::TooManyAnswersForAddress => {
            "Trop de réponses sont rédigées en même temps pour cette adresse réseau ; attendez un peu."
        }
        Words::TooManyAnswersInAll => {
            "Ce serveur rédige autant de réponses qu’il le peut ; réessayez dans un instant."
        }
        Words::TooManyMessages => "Trop de messages en peu de temps ; attendez un peu.",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "Ce chat accepte {most} messages par minute ; attendez un peu et renvoyez le vôtre."
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "Trop de nouveaux visiteurs depuis cette adresse réseau ; réessayez plus tard."
        }
        Words::TooManyVisitorsOfChat => {
            "Ce chat public a reçu autant de nouveaux visiteurs qu’il en accepte en une heure ; revenez un peu plus tard."
        }
        Words::TooManyMessagesOfVisitor => {
            "Vous avez envoyé autant de messages que ce chat public en accepte en une heure ; revenez un peu plus tard."
        }
        Words::TooManyMessagesOfAddress => {
            "Ce chat public a reçu de votre adresse réseau autant de messages que permis en une journée ; revenez plus \
             tard."
        }
        Words::TooManyMessagesOfChat => {
            "Ce chat public a reçu autant de messages que permis en une journée ; revenez plus tard."
        }
        Words::NotSignedIn => "Vous n’êtes pas connecté ; connectez-vous et réessayez.",
        Words::AssistantNotOpen => {
            "L’assistant de ce chat ne vous est plus ouvert ; rechargez la page pour commencer un nouveau chat."
        }
        Words::SignInUnchecked { seconds } => {
            return format!(
                "La connexion ne peut pas être vérifiée pour le moment ; réessayez dans {seconds} s."
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!(
            "Cette conversation est {state} : {reason} ; commencez un nouveau chat pour continuer."
        ),
        None => {
            format!("Cette conversation est {state} ; commencez un nouveau chat pour continuer.")
        }
    }
}
