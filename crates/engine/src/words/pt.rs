//! Portuguese, as it is read in Brazil and understood in Portugal.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ",",
    bytes: "bytes",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "Você interrompeu a resposta. O que já chegou foi mantido.",
        Words::StoppedBeforeItBegan => {
            "Você interrompeu a resposta antes de ela começar. Pergunte de novo quando quiser."
        }
        Words::Abandoned => {
            "A resposta foi encerrada porque ninguém mais esperava por ela. O que já chegou foi mantido."
        }
        Words::Superseded => {
            "Uma mensagem mais recente tomou o lugar desta resposta. O que já chegou foi mantido."
        }
        Words::SupersededBeforeItBegan => {
            "Uma mensagem mais recente tomou o lugar desta resposta antes de ela começar."
        }
        Words::Restarting => {
            "O servidor está sendo reiniciado. O que já chegou foi mantido; tente novamente em instantes."
        }
        Words::RestartingWhileWaiting => {
            "O servidor está sendo reiniciado. Sua mensagem foi mantida e será respondida quando você voltar."
        }
        Words::SessionEnded => {
            "Esta sessão de chat foi encerrada; recarregue a página para iniciar uma nova."
        }
        Words::ConversationDeleted => "Esta conversa foi excluída.",
        Words::TakenBack => "A mensagem foi retirada.",
        Words::Unanswered => {
            "A resposta foi interrompida antes de começar. Pergunte de novo quando quiser."
        }
        Words::AnsweredElsewhere => "A resposta terminou. Recarregue a conversa para vê-la.",
        Words::LostFromQueue => {
            "Esta mensagem não está mais esperando aqui. Recarregue a conversa para ver onde ela está."
        }
        Words::BrokenOff => {
            "A resposta foi interrompida. O que já chegou foi mantido; tente novamente."
        }
        Words::EmptyAnswer => {
            "O modelo deu uma resposta vazia. Tente novamente ou faça a pergunta de outra forma."
        }
        Words::NoRoomToAnswer => {
            "O modelo atingiu seu limite de tamanho antes de conseguir responder. Faça uma pergunta mais específica ou \
             peça só uma parte."
        }
        Words::ToolsUsedUp => {
            "O modelo usou suas ferramentas tantas vezes quanto uma resposta permite, sem chegar ao fim. O que foi feito \
             foi mantido; peça para continuar, ou menos coisas de uma vez."
        }
        Words::EndedByToolLimit => {
            "A resposta termina aqui porque as ferramentas foram usadas tantas vezes quanto permitido. Peça para \
             continuar."
        }
        Words::CutOff => {
            "A resposta foi cortada no seu limite de tamanho. Peça para que ela continue."
        }
        Words::TooLongAnswer => {
            "A resposta ficou mais longa do que o permitido. O que já chegou foi mantido."
        }
        Words::TooSlowAnswer => {
            "A resposta demorou mais do que o permitido. O que já chegou foi mantido; tente novamente."
        }
        Words::NotSaved => {
            "Não foi possível salvar a resposta. Copie o que precisar e tente novamente em instantes."
        }
        Words::NotSavedForWantOfSpace => {
            "Não foi possível salvar a resposta: o armazenamento do servidor está cheio. Copie o que precisar e avise os \
             responsáveis por este chat."
        }
        Words::AnotherAnswerHasBegun => {
            "Outra resposta começou nesta conversa. Recarregue-a para ver como continua."
        }
        Words::ModelUnavailable => {
            "Não é possível acessar o modelo no momento. Tente novamente daqui a pouco."
        }
        Words::ModelOverloaded => {
            "O modelo está recebendo solicitações demais. Espere um minuto e tente novamente."
        }
        Words::ModelMisconfigured => {
            "O modelo recusou a configuração deste servidor. Avise os responsáveis por este chat."
        }
        Words::ModelDeclined => {
            "O modelo se recusou a responder a isto. Faça a pergunta de outra forma."
        }
        Words::ModelTimedOut => {
            "O modelo não respondeu a tempo. O que já chegou foi mantido; tente novamente."
        }
        Words::ConversationTooLong => {
            "Esta conversa ficou longa demais para o modelo. Inicie um novo chat para continuar."
        }
        Words::AgentSilent => {
            "O assistente não deu nenhuma resposta. Tente novamente ou faça a pergunta de outra forma."
        }
        Words::AgentUnavailable => {
            "Não é possível acessar o assistente no momento. Tente novamente daqui a pouco."
        }
        Words::AgentRefused => {
            "O assistente recusou a solicitação deste servidor. Avise os responsáveis por este chat."
        }
        Words::AgentTimedOut => {
            "O assistente não respondeu a tempo. O que já chegou foi mantido; tente novamente."
        }
        Words::Waiting => "Aguardando a resposta anterior…",
        Words::UsedTools { names, more } => {
            let names = names.join(", ");
            return match more {
                0 => format!("Usou {names}"),
                more => format!("Usou {names} e mais {more}"),
            }
            .into();
        }
        Words::Took { time } => return format!("Levou {} s", NUMBERS.seconds(*time)).into(),
        Words::FailedAfter { time } => {
            return format!("Falhou após {} s", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "pesquisa na Web",
        Words::FileSearch => "pesquisa em arquivos",
        Words::CodeInterpreter => "interpretador de código",
        Words::ImageGeneration => "geração de imagens",
        Words::RunTool { name } => return format!("Executar {name}?").into(),
        Words::Allow => "Permitir",
        Words::Refuse => "Recusar",
        Words::Allowed => "Permitido",
        Words::Refused => "Recusado",
        Words::ServerAsks { server } => return format!("“{server}” pergunta").into(),
        Words::NoPasswords => "Quem pergunta é uma ferramenta. Não digite senhas nem chaves.",
        Words::Agree => "Você concorda?",
        Words::Yes => "Sim",
        Words::No => "Não",
        Words::Required => "obrigatório",
        Words::DefaultIs { value } => return format!("padrão: {value}").into(),
        Words::DoesNotFit { answer } => return format!("“{answer}” não serve aqui.").into(),
        Words::ExpectEmail => "um endereço de e-mail",
        Words::ExpectUri => "um endereço como https://example.com",
        Words::ExpectDate => "uma data como 2026-11-30",
        Words::ExpectDateTime => "uma data e hora como 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "um número",
        Words::ExpectWholeNumber => "um número inteiro",
        Words::ExpectChoice => "uma destas opções",
        Words::AtLeast { least } => return format!("no mínimo {least}").into(),
        Words::AtMost { most } => return format!("no máximo {most}").into(),
        Words::CharactersAtLeast { count } => {
            return format!("caracteres: no mínimo {count}").into();
        }
        Words::CharactersAtMost { count } => {
            return format!("caracteres: no máximo {count}").into();
        }
        Words::ChoicesAtLeast { count } => return format!("escolha no mínimo {count}").into(),
        Words::ChoicesAtMost { count } => return format!("escolha no máximo {count}").into(),
        Words::ToolStoppedWaiting => {
            "A ferramenta que fez a pergunta já não espera uma resposta. O que você respondeu fica guardado; peça de novo se ainda for preciso."
        }
        Words::NotFound => {
            "Esta conversa ou mensagem não existe; inicie um novo chat ou recarregue a lista."
        }
        Words::NoRun => {
            "Não há aqui nenhuma resposta em andamento que possa ser acompanhada a partir desse ponto; carregue a \
             conversa para ver o que ela contém."
        }
        Words::NotQueued => {
            "Esta mensagem não está mais esperando: está sendo respondida ou foi retirada; carregue a conversa para \
             vê-la."
        }
        Words::RequestInProgress => {
            "A mesma solicitação já está sendo processada; envie-a novamente em instantes."
        }
        Words::AssistantUnavailable => {
            "Não é possível acessar o assistente no momento; tente novamente daqui a pouco."
        }
        Words::AssistantTimedOut => {
            "O assistente não respondeu a tempo; tente novamente daqui a pouco."
        }
        Words::AssistantUnable => {
            "O assistente não faz isto, ou não de um modo que se possa entender; avise os responsáveis por este chat."
        }
        Words::StoreBusy => "O armazenamento está ocupado; tente novamente em instantes.",
        Words::InternalError => "Ocorreu um erro interno.",
        Words::ServerError => {
            "Ocorreu um erro no servidor ao processar a solicitação; tente novamente e, se persistir, informe aos \
             responsáveis o x-request-id desta resposta."
        }
        Words::StorageFull => {
            "O armazenamento do servidor está cheio, por isso nada pode ser salvo; avise os responsáveis por este chat e \
             tente novamente mais tarde."
        }
        Words::StorageLost => {
            "O servidor perdeu seu banco de dados, por isso nada pode ser salvo; avise os responsáveis por este chat e \
             tente novamente mais tarde."
        }
        Words::NoRoomForSession => {
            "O armazenamento do servidor está cheio, por isso nada pode ser salvo; os responsáveis precisam liberar \
             espaço."
        }
        Words::NoDatabaseForSession => {
            "O servidor perdeu seu banco de dados, por isso nada pode ser salvo; os responsáveis precisam reiniciá-lo."
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Suas conversas ocupam mais do que os {limit} que você pode manter aqui; exclua algumas e envie isto \
                 novamente."
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "Outra resposta começou nesta conversa; carregue-a para ver como continua."
        }
        Words::StillAnswering => {
            "Esta conversa ainda está sendo respondida; espere a resposta ou interrompa-a e envie isto novamente."
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "Já há {most} mensagens esperando resposta nesta conversa; espere uma delas ou retire uma."
            )
            .into();
        }
        Words::Locked { reason } => return not_open("bloqueada", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("encerrada", reason.as_deref()).into(),
        Words::EmptyMessage => "A mensagem está vazia; escreva algo primeiro.",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "A mensagem ultrapassa os {limit} permitidos aqui; envie uma mais curta."
            )
            .into();
        }
        Words::TitleLength { most } => {
            return format!("Um título tem de 1 a {most} caracteres.").into();
        }
        Words::NothingToSearchFor => "Digite ao menos uma palavra para pesquisar.",
        Words::NoToolWaits => {
            "Nenhuma ferramenta desta página está esperando resposta nesta conversa; recarregue-a para ver como está."
        }
        Words::DecidedAlready => {
            "Isto já foi decidido; recarregue a conversa para ver como continuou."
        }
        Words::FormAnsweredAlready => {
            "Este formulário já foi respondido; recarregue a conversa para ver as respostas."
        }
        Words::ActionFailed => "Não funcionou; tente novamente ou peça isto em uma mensagem.",
        Words::ActionIncomplete => {
            "Faltam dados a esta ação; recarregue a página e tente novamente."
        }
        Words::UploadsDisabled => "O envio de arquivos está desativado nesta sessão.",
        Words::FileTypeRefused => "Este tipo de arquivo não é permitido nesta sessão.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("O arquivo ultrapassa os {limit} permitidos; envie um menor.").into();
        }
        Words::FileTooSlow => "O arquivo não chegou a tempo; envie-o novamente, ou um menor.",
        Words::FileBrokenOff => "O envio do arquivo foi interrompido; envie-o novamente.",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "Seus arquivos ocupariam mais do que os {limit} que você pode manter aqui; exclua primeiro uma conversa \
                 com arquivos."
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!(
                "Esta sessão de chat já enviou os {most} arquivos que pode enviar; inicie uma nova sessão."
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "Você tem {most} arquivos que nunca foram enviados; envie ou remova primeiro alguns deles."
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("Uma mensagem pode conter no máximo {most} arquivos.").into();
        }
        Words::NoSuchFile => "Este arquivo não existe (mais); anexe-o novamente.",
        Words::FileSentAlready => {
            "Este arquivo já foi enviado ou está sendo enviado; anexe-o novamente."
        }
        Words::FileIsPartOfMessage => {
            "Este arquivo faz parte de uma mensagem; exclua a conversa para removê-lo."
        }
        Words::FileOfMessageIsGone => {
            "Um arquivo desta mensagem não está (mais) aqui; anexe-o novamente."
        }
        Words::PictureNotKept => {
            "Uma imagem criada não pôde ser guardada e, por isso, não é exibida."
        }
        Words::FileOfMessageIsUsed => {
            "Um arquivo desta mensagem faz parte de outra; anexe-o novamente."
        }
        Words::BodyTooSlow => "A solicitação não chegou a tempo; envie-a novamente.",
        Words::TooManyOpenRequests => {
            "Este endereço de rede tem tantas solicitações abertas quanto permitido; espere até que uma seja respondida."
        }
        Words::TooManyRequests => {
            "Solicitações demais deste endereço de rede; espere um pouco e tente novamente."
        }
        Words::TooManySessions => {
            "Sessões de chat demais foram iniciadas ou renovadas; espere um pouco e tente novamente."
        }
        Words::TooManyAnswersForPerson => {
            "Respostas demais estão sendo escritas para você ao mesmo tempo; espere até que uma termine ou interrompa \
             uma."
        }
        Words::TooManyAnswersForAddress => {
            "Respostas demais estão sendo escritas ao mesmo tempo para este endereço de rede; espere um pouco."
        }
        Words::TooManyAnswersInAll => {
            "Este servidor está escrevendo tantas respostas quanto pode; tente novamente em instantes."
        }
        Words::TooManyMessages => "Mensagens demais em pouco tempo; espere um pouco.",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "Este chat aceita {most} mensagens por minuto; espere um pouco e envie novamente."
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "Novos visitantes demais deste endereço de rede; tente novamente mais tarde."
        }
        Words::TooManyVisitorsOfChat => {
            "Este chat público já recebeu tantos novos visitantes quanto aceita em uma hora; volte um pouco mais tarde."
        }
        Words::TooManyMessagesOfVisitor => {
            "Você enviou tantas mensagens quanto este chat público aceita em uma hora; volte um pouco mais tarde."
        }
        Words::TooManyMessagesOfAddress => {
            "Este chat público já recebeu do seu endereço de rede tantas mensagens quanto pode em um dia; volte mais \
             tarde."
        }
        Words::TooManyMessagesOfChat => {
            "Este chat público já recebeu tantas mensagens quanto pode em um dia; volte mais tarde."
        }
        Words::NotSignedIn => "Você não está conectado; entre na sua conta e tente novamente.",
        Words::AssistantNotOpen => {
            "O assistente deste chat não está mais aberto para você; recarregue a página para iniciar um novo chat."
        }
        Words::SignInUnchecked { seconds } => {
            return format!(
                "Não é possível verificar o login no momento; tente novamente em {seconds} s."
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => {
            format!("Esta conversa está {state}: {reason}; inicie um novo chat para continuar.")
        }
        None => format!("Esta conversa está {state}; inicie um novo chat para continuar."),
    }
}
