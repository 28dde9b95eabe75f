//! Spanish.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ",",
    bytes: "bytes",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "Ha detenido la respuesta. Lo que ya ha llegado se conserva.",
        Words::StoppedBeforeItBegan => {
            "Ha detenido la respuesta antes de que empezara. Vuelva a preguntar cuando quiera."
        }
        Words::Abandoned => {
            "La respuesta se terminó porque ya nadie la esperaba. Lo que ya ha llegado se conserva."
        }
        Words::Superseded => {
            "Un mensaje más reciente ha ocupado el lugar de esta respuesta. Lo que ya ha llegado se conserva."
        }
        Words::SupersededBeforeItBegan => {
            "Un mensaje más reciente ha ocupado el lugar de esta respuesta antes de que empezara."
        }
        Words::Restarting => {
            "El servidor se está reiniciando. Lo que ya ha llegado se conserva; inténtelo de nuevo en un momento."
        }
        Words::RestartingWhileWaiting => {
            "El servidor se está reiniciando. Su mensaje se conserva y recibirá respuesta cuando vuelva."
        }
        Words::SessionEnded => {
            "Esta sesión de chat ha terminado; recargue la página para empezar una nueva."
        }
        Words::ConversationDeleted => "Esta conversación se ha eliminado.",
        Words::TakenBack => "El mensaje se ha retirado.",
        Words::Unanswered => {
            "La respuesta se interrumpió antes de empezar. Vuelva a preguntar cuando quiera."
        }
        Words::AnsweredElsewhere => {
            "La respuesta ha terminado. Recargue la conversación para verla."
        }
        Words::LostFromQueue => {
            "Este mensaje ya no espera aquí. Recargue la conversación para ver dónde está."
        }
        Words::BrokenOff => {
            "La respuesta se ha interrumpido. Lo que ya ha llegado se conserva; inténtelo de nuevo."
        }
        Words::EmptyAnswer => {
            "El modelo ha dado una respuesta vacía. Inténtelo de nuevo o formule la pregunta de otra manera."
        }
        Words::NoRoomToAnswer => {
            "El modelo ha alcanzado su límite de longitud antes de poder responder. Formule una pregunta más concreta o \
             pida solo una parte."
        }
        Words::ToolsUsedUp => {
            "El modelo ha usado sus herramientas tantas veces como permite una respuesta, sin llegar al final. Lo hecho \
             se conserva; pida que continúe, o menos cosas a la vez."
        }
        Words::EndedByToolLimit => {
            "La respuesta termina aquí porque las herramientas se han usado tantas veces como está permitido. Pida que \
             continúe."
        }
        Words::CutOff => {
            "La respuesta se ha cortado al alcanzar su límite de longitud. Pida que se continúe."
        }
        Words::TooLongAnswer => {
            "La respuesta es más larga de lo permitido. Lo que ya ha llegado se conserva."
        }
        Words::TooSlowAnswer => {
            "La respuesta ha tardado más de lo permitido. Lo que ya ha llegado se conserva; inténtelo de nuevo."
        }
        Words::NotSaved => {
            "No se ha podido guardar la respuesta. Copie lo que necesite e inténtelo de nuevo en un momento."
        }
        Words::NotSavedForWantOfSpace => {
            "No se ha podido guardar la respuesta: el almacenamiento del servidor está lleno. Copie lo que necesite y \
             avise a los responsables de este chat."
        }
        Words::AnotherAnswerHasBegun => {
            "Ha empezado otra respuesta en esta conversación. Recárguela para ver cómo sigue."
        }
        Words::ModelUnavailable => {
            "No se puede acceder al modelo en este momento. Inténtelo de nuevo dentro de poco."
        }
        Words::ModelOverloaded => {
            "El modelo está recibiendo demasiadas solicitudes. Espere un minuto e inténtelo de nuevo."
        }
        Words::ModelMisconfigured => {
            "El modelo ha rechazado la configuración de este servidor. Avise a los responsables de este chat."
        }
        Words::ModelDeclined => {
            "El modelo se ha negado a responder a esto. Formule la pregunta de otra manera."
        }
        Words::ModelTimedOut => {
            "El modelo no ha respondido a tiempo. Lo que ya ha llegado se conserva; inténtelo de nuevo."
        }
        Words::ConversationTooLong => {
            "Esta conversación es demasiado larga para el modelo. Empiece un chat nuevo para continuar."
        }
        Words::AgentSilent => {
            "El asistente no ha dado ninguna respuesta. Inténtelo de nuevo o formule la pregunta de otra manera."
        }
        Words::AgentUnavailable => {
            "No se puede acceder al asistente en este momento. Inténtelo de nuevo dentro de poco."
        }
        Words::AgentRefused => {
            "El asistente ha rechazado la solicitud de este servidor. Avise a los responsables de este chat."
        }
        Words::AgentTimedOut => {
            "El asistente no ha respondido a tiempo. Lo que ya ha llegado se conserva; inténtelo de nuevo."
        }
        Words::Waiting => "Esperando la respuesta anterior…",
        Words::UsedTools { names, more } => {
            let names = names.join(", ");
            return match more {
                0 => format!("Se ha usado {names}"),
                more => format!("Se ha usado {names} y {more} más"),
            }
            .into();
        }
        Words::Took { time } => return format!("Tardó {} s", NUMBERS.seconds(*time)).into(),
        Words::FailedAfter { time } => {
            return format!("Falló después de {} s", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "búsqueda web",
        Words::FileSearch => "búsqueda de archivos",
        Words::CodeInterpreter => "intérprete de código",
        Words::ImageGeneration => "generación de imágenes",
        Words::RunTool { name } => return format!("¿Ejecutar {name}?").into(),
        Words::Allow => "Permitir",
        Words::Refuse => "Rechazar",
        Words::Allowed => "Permitido",
        Words::Refused => "Rechazado",
        Words::ServerAsks { server } => return format!("«{server}» le pregunta").into(),
        Words::NoPasswords => "Lo pregunta una herramienta. No escriba contraseñas ni claves.",
        Words::Agree => "¿Está de acuerdo?",
        Words::Yes => "Sí",
        Words::No => "No",
        Words::Required => "obligatorio",
        Words::DefaultIs { value } => return format!("por defecto: {value}").into(),
        Words::DoesNotFit { answer } => return format!("«{answer}» no es válido aquí.").into(),
        Words::ExpectEmail => "una dirección de correo",
        Words::ExpectUri => "una dirección como https://example.com",
        Words::ExpectDate => "una fecha como 2026-11-30",
        Words::ExpectDateTime => "una fecha y hora como 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "un número",
        Words::ExpectWholeNumber => "un número entero",
        Words::ExpectChoice => "una de estas opciones",
        Words::AtLeast { least } => return format!("al menos {least}").into(),
        Words::AtMost { most } => return format!("como máximo {most}").into(),
        Words::CharactersAtLeast { count } => {
            return format!("caracteres: al menos {count}").into();
        }
        Words::CharactersAtMost { count } => {
            return format!("caracteres: como máximo {count}").into();
        }
        Words::ChoicesAtLeast { count } => return format!("elija al menos {count}").into(),
        Words::ChoicesAtMost { count } => return format!("elija como máximo {count}").into(),
        Words::ToolStoppedWaiting => {
            "La herramienta que lo preguntó ya no espera una respuesta. Lo que contestó se conserva; vuelva a pedirlo si aún hace falta."
        }
        Words::NotFound => {
            "Esta conversación o este mensaje no existe; empiece un chat nuevo o recargue la lista."
        }
        Words::NoRun => {
            "Aquí no hay ninguna respuesta en curso que se pueda seguir desde ese punto; cargue la conversación para ver \
             lo que contiene."
        }
        Words::NotQueued => {
            "Este mensaje ya no espera: se está respondiendo o se ha retirado; cargue la conversación para verlo."
        }
        Words::RequestInProgress => {
            "La misma solicitud ya se está procesando; envíela de nuevo en un momento."
        }
        Words::AssistantUnavailable => {
            "No se puede acceder al asistente en este momento; inténtelo de nuevo dentro de poco."
        }
        Words::AssistantTimedOut => {
            "El asistente no ha respondido a tiempo; inténtelo de nuevo dentro de poco."
        }
        Words::AssistantUnable => {
            "El asistente no hace esto, o no de una forma que se pueda entender; avise a los responsables de este chat."
        }
        Words::StoreBusy => "El almacenamiento está ocupado; inténtelo de nuevo en un momento.",
        Words::InternalError => "Se ha producido un error interno.",
        Words::ServerError => {
            "Se ha producido un error en el servidor al procesar la solicitud; inténtelo de nuevo y, si persiste, \
             indique a los responsables el x-request-id de esta respuesta."
        }
        Words::StorageFull => {
            "El almacenamiento del servidor está lleno, así que no se puede guardar nada; avise a los responsables de \
             este chat e inténtelo más tarde."
        }
        Words::StorageLost => {
            "El servidor ha perdido su base de datos, así que no se puede guardar nada; avise a los responsables de este \
             chat e inténtelo más tarde."
        }
        Words::NoRoomForSession => {
            "El almacenamiento del servidor está lleno, así que no se puede guardar nada; los responsables tienen que \
             hacer sitio."
        }
        Words::NoDatabaseForSession => {
            "El servidor ha perdido su base de datos, así que no se puede guardar nada; los responsables tienen que \
             reiniciarlo."
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Sus conversaciones ocupan más de los {limit} que puede conservar aquí; elimine algunas y vuelva a \
                 enviar esto."
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "Ha empezado otra respuesta en esta conversación; cárguela para ver cómo sigue."
        }
        Words::StillAnswering => {
            "Aún se está respondiendo en esta conversación; espere la respuesta o deténgala, y vuelva a enviar esto."
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "Ya hay {most} mensajes esperando respuesta en esta conversación; espere una o retire un mensaje."
            )
            .into();
        }
        Words::Locked { reason } => return not_open("bloqueada", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("cerrada", reason.as_deref()).into(),
        Words::EmptyMessage => "El mensaje está vacío; escriba algo primero.",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("El mensaje supera los {limit} permitidos aquí; envíe uno más corto.")
                .into();
        }
        Words::TitleLength { most } => {
            return format!("Un título tiene de 1 a {most} caracteres.").into();
        }
        Words::NothingToSearchFor => "Escriba al menos una palabra para buscar.",
        Words::NoToolWaits => {
            "Ninguna herramienta de esta página espera respuesta en esta conversación; recárguela para ver cómo está."
        }
        Words::DecidedAlready => {
            "Esto ya se ha decidido; recargue la conversación para ver cómo siguió."
        }
        Words::FormAnsweredAlready => {
            "Este formulario ya se ha respondido; recargue la conversación para ver las respuestas."
        }
        Words::ActionFailed => "No ha funcionado; inténtelo de nuevo o pídalo en un mensaje.",
        Words::ActionIncomplete => {
            "A esta acción le faltan datos; recargue la página e inténtelo de nuevo."
        }
        Words::UploadsDisabled => "El envío de archivos está desactivado en esta sesión.",
        Words::FileTypeRefused => "Este tipo de archivo no está permitido en esta sesión.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("El archivo supera los {limit} permitidos; envíe uno más pequeño.")
                .into();
        }
        Words::FileTooSlow => {
            "El archivo no ha llegado a tiempo; envíelo de nuevo, o uno más pequeño."
        }
        Words::FileBrokenOff => "El envío del archivo se ha interrumpido; envíelo de nuevo.",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Sus archivos ocuparían más de los {limit} que puede conservar aquí; elimine primero una conversación \
                 con archivos."
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!(
                "Esta sesión de chat ya ha enviado los {most} archivos que puede enviar; empiece una sesión nueva."
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "Tiene {most} archivos que nunca se enviaron; envíe o quite primero algunos de ellos."
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("Un mensaje puede contener {most} archivos como máximo.").into();
        }
        Words::NoSuchFile => "Este archivo no existe (o ya no existe); adjúntelo de nuevo.",
        Words::FileSentAlready => {
            "Este archivo ya se ha enviado o se está enviando; adjúntelo de nuevo."
        }
        Words::FileIsPartOfMessage => {
            "Este archivo forma parte de un mensaje; elimine la conversación para quitarlo."
        }
        Words::FileOfMessageIsGone => {
            "Un archivo de este mensaje no está (o ya no está); adjúntelo de nuevo."
        }
        Words::PictureNotKept => {
            "Una imagen creada no se ha podido guardar, por lo que no se muestra."
        }
        Words::FileOfMessageIsUsed => {
            "Un archivo de este mensaje forma parte de otro; adjúntelo de nuevo."
        }
        Words::BodyTooSlow => "La solicitud no ha llegado a tiempo; envíela de nuevo.",
        Words::TooManyOpenRequests => {
            "Esta dirección de red tiene abiertas todas las solicitudes permitidas; espere a que se responda una."
        }
        Words::TooManyRequests => {
            "Demasiadas solicitudes desde esta dirección de red; espere un poco e inténtelo de nuevo."
        }
        Words::TooManySessions => {
            "Se han iniciado o renovado demasiadas sesiones de chat; espere un poco e inténtelo de nuevo."
        }
        Words::TooManyAnswersForPerson => {
            "Se están escribiendo demasiadas respuestas para usted a la vez; espere a que termine una o detenga alguna."
        }
        Words::TooManyAnswersForAddress => {
            "Se están escribiendo demasiadas respuestas a la vez para esta dirección de red; espere un poco."
        }
        Words::TooManyAnswersInAll => {
            "Este servidor está escribiendo todas las respuestas que puede; inténtelo de nuevo en un momento."
        }
        Words::TooManyMessages => "Demasiados mensajes en poco tiempo; espere un poco.",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "Este chat acepta {most} mensajes por minuto; espere un poco y envíelo de nuevo."
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "Demasiados visitantes nuevos desde esta dirección de red; inténtelo más tarde."
        }
        Words::TooManyVisitorsOfChat => {
            "Este chat público ya ha recibido todos los visitantes nuevos que acepta en una hora; vuelva un poco más \
             tarde."
        }
        Words::TooManyMessagesOfVisitor => {
            "Ha enviado todos los mensajes que este chat público acepta en una hora; vuelva un poco más tarde."
        }
        Words::TooManyMessagesOfAddress => {
            "Este chat público ya ha recibido de su dirección de red todos los mensajes que puede aceptar en un día; \
             vuelva más tarde."
        }
        Words::TooManyMessagesOfChat => {
            "Este chat público ya ha recibido todos los mensajes que puede aceptar en un día; vuelva más tarde."
        }
        Words::NotSignedIn => "No ha iniciado sesión; inicie sesión e inténtelo de nuevo.",
        Words::AssistantNotOpen => {
            "El asistente de este chat ya no está disponible para usted; recargue la página para empezar un chat nuevo."
        }
        Words::SignInUnchecked { seconds } => {
            return format!(
                "No se puede comprobar el inicio de sesión en este momento; inténtelo de nuevo en {seconds} s."
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!(
            "Esta conversación está {state}: {reason}; empiece un chat nuevo para continuar."
        ),
        None => {
            format!("Esta conversación está {state}; empiece un chat nuevo para continuar.")
        }
    }
}
