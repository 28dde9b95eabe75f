//! Japanese.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ".",
    bytes: "バイト",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "回答を停止しました。ここまでの内容は保存されています。",
        Words::StoppedBeforeItBegan => {
            "回答が始まる前に停止しました。いつでももう一度質問してください。"
        }
        Words::Abandoned => {
            "回答を待っている人がいなかったため、終了しました。ここまでの内容は保存されています。"
        }
        Words::Superseded => {
            "新しいメッセージが送られたため、この回答は終了しました。ここまでの内容は保存されています。"
        }
        Words::SupersededBeforeItBegan => {
            "新しいメッセージが送られたため、この回答は始まる前に終了しました。"
        }
        Words::Restarting => {
            "サーバーを再起動しています。ここまでの内容は保存されています。しばらくしてからもう一度お試しください。"
        }
        Words::RestartingWhileWaiting => {
            "サーバーを再起動しています。メッセージは保存されており、次に開いたときに回答されます。"
        }
        Words::SessionEnded => {
            "このチャットのセッションは終了しました。ページを再読み込みして、新しいセッションを始めてください。"
        }
        Words::ConversationDeleted => "この会話は削除されました。",
        Words::TakenBack => "メッセージを取り消しました。",
        Words::Unanswered => "回答は始まる前に中断されました。いつでももう一度質問してください。",
        Words::AnsweredElsewhere => "回答は終わりました。会話を再読み込みすると表示されます。",
        Words::LostFromQueue => {
            "このメッセージはここで待機していません。会話を再読み込みして、状況を確認してください。"
        }
        Words::BrokenOff => {
            "回答が途中で切れました。ここまでの内容は保存されています。もう一度お試しください。"
        }
        Words::EmptyAnswer => {
            "モデルの回答が空でした。もう一度試すか、質問の仕方を変えてください。"
        }
        Words::NoRoomToAnswer => {
            "モデルは回答する前に長さの上限に達しました。質問を絞るか、一部だけを尋ねてください。"
        }
        Words::ToolsUsedUp => {
            "モデルは 1 つの回答で使える回数までツールを使いましたが、完了しませんでした。ここまでの作業は保存されています。\
             続けるように頼むか、一度に頼む内容を減らしてください。"
        }
        Words::EndedByToolLimit => {
            "ツールを使える回数に達したため、回答はここで終わりました。続けるように頼んでください。"
        }
        Words::CutOff => "回答は長さの上限で打ち切られました。続けるように頼んでください。",
        Words::TooLongAnswer => {
            "回答が許可された長さを超えました。ここまでの内容は保存されています。"
        }
        Words::TooSlowAnswer => {
            "回答に許可された時間を超えました。ここまでの内容は保存されています。もう一度お試しください。"
        }
        Words::NotSaved => {
            "回答を保存できませんでした。必要な部分をコピーして、しばらくしてからもう一度お試しください。"
        }
        Words::NotSavedForWantOfSpace => {
            "回答を保存できませんでした。サーバーの空き容量がありません。必要な部分をコピーして、このチャットの管理者に\
             お知らせください。"
        }
        Words::AnotherAnswerHasBegun => {
            "この会話で別の回答が始まりました。再読み込みして、続きを確認してください。"
        }
        Words::ModelUnavailable => {
            "現在、モデルに接続できません。しばらくしてからもう一度お試しください。"
        }
        Words::ModelOverloaded => {
            "モデルへのリクエストが多すぎます。1 分ほど待ってから、もう一度お試しください。"
        }
        Words::ModelMisconfigured => {
            "モデルがこのサーバーの設定を拒否しました。このチャットの管理者にお知らせください。"
        }
        Words::ModelDeclined => {
            "モデルはこの質問への回答を拒否しました。質問の仕方を変えてください。"
        }
        Words::ModelTimedOut => {
            "モデルが時間内に回答しませんでした。ここまでの内容は保存されています。もう一度お試しください。"
        }
        Words::ConversationTooLong => {
            "この会話はモデルにとって長くなりすぎました。続けるには、新しいチャットを始めてください。"
        }
        Words::AgentSilent => {
            "アシスタントから回答がありませんでした。もう一度試すか、質問の仕方を変えてください。"
        }
        Words::AgentUnavailable | Words::AssistantUnavailable => {
            "現在、アシスタントに接続できません。しばらくしてからもう一度お試しください。"
        }
        Words::AgentRefused => {
            "アシスタントがこのサーバーのリクエストを拒否しました。このチャットの管理者にお知らせください。"
        }
        Words::AgentTimedOut => {
            "アシスタントが時間内に回答しませんでした。ここまでの内容は保存されています。もう一度お試しください。"
        }
        Words::Waiting => "前の回答を待っています…",
        Words::UsedTools { names, more } => {
            let names = names.join("、");
            return match more {
                0 => format!("{names} を使用"),
                more => format!("{names}、ほか {more} 件を使用"),
            }
            .into();
        }
        Words::Took { time } => {
            return format!("所要時間：{} 秒", NUMBERS.seconds(*time)).into();
        }
        Words::FailedAfter { time } => {
            return format!("{} 秒後に失敗", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "ウェブ検索",
        Words::FileSearch => "ファイル検索",
        Words::CodeInterpreter => "コードインタープリター",
        Words::ImageGeneration => "画像生成",
        Words::RunTool { name } => return format!("{name} を実行しますか？").into(),
        Words::Allow => "許可",
        Words::Refuse => "拒否",
        Words::Allowed => "許可しました",
        Words::Refused => "拒否しました",
        Words::ServerAsks { server } => return format!("「{server}」からの質問").into(),
        Words::NoPasswords => {
            "これはツールからの質問です。パスワードやキーは入力しないでください。"
        }
        Words::Agree => "同意しますか？",
        Words::Yes => "はい",
        Words::No => "いいえ",
        Words::Required => "必須",
        Words::DefaultIs { value } => return format!("既定値：{value}").into(),
        Words::DoesNotFit { answer } => {
            return format!("「{answer}」はここでは使えません。").into();
        }
        Words::ExpectEmail => "メールアドレス",
        Words::ExpectUri => "https://example.com のようなアドレス",
        Words::ExpectDate => "2026-11-30 のような日付",
        Words::ExpectDateTime => "2026-11-30T09:00:00Z のような日時",
        Words::ExpectNumber => "数値",
        Words::ExpectWholeNumber => "整数",
        Words::ExpectChoice => "この中から選択",
        Words::AtLeast { least } => return format!("{least} 以上").into(),
        Words::AtMost { most } => return format!("{most} 以下").into(),
        Words::CharactersAtLeast { count } => return format!("{count} 文字以上").into(),
        Words::CharactersAtMost { count } => return format!("{count} 文字以内").into(),
        Words::ChoicesAtLeast { count } => return format!("{count} 個以上選択").into(),
        Words::ChoicesAtMost { count } => return format!("{count} 個以内で選択").into(),
        Words::ToolStoppedWaiting => {
            "この質問をしたツールは、もう回答を待っていません。回答は保存されています。まだ必要な場合は、もう一度依頼してください。"
        }
        Words::NotFound => {
            "この会話またはメッセージは存在しません。新しいチャットを始めるか、一覧を再読み込みしてください。"
        }
        Words::NoRun => {
            "そこから続けて受け取れる回答は、ここでは進行していません。会話を読み込んで、内容を確認してください。"
        }
        Words::NotQueued => {
            "このメッセージはもう待機していません。回答中か、取り消されています。会話を読み込んで確認してください。"
        }
        Words::RequestInProgress => {
            "同じリクエストをすでに処理しています。しばらくしてからもう一度送信してください。"
        }
        Words::AssistantTimedOut => {
            "アシスタントが時間内に回答しませんでした。しばらくしてからもう一度お試しください。"
        }
        Words::AssistantUnable => {
            "アシスタントはこの操作に対応していないか、理解できる形で応答しませんでした。このチャットの管理者にお知らせ\
             ください。"
        }
        Words::StoreBusy => {
            "データの保存先が混み合っています。しばらくしてからもう一度お試しください。"
        }
        Words::InternalError => "内部エラーが発生しました。",
        Words::ServerError => {
            "リクエストの処理中にサーバーでエラーが発生しました。もう一度お試しください。解決しない場合は、この応答の \
             x-request-id を管理者にお知らせください。"
        }
        Words::StorageFull => {
            "サーバーの空き容量がないため、何も保存できません。このチャットの管理者に知らせて、後でもう一度お試しください。"
        }
        Words::StorageLost => {
            "サーバーがデータベースを失ったため、何も保存できません。このチャットの管理者に知らせて、後でもう一度お試し\
             ください。"
        }
        Words::NoRoomForSession => {
            "サーバーの空き容量がないため、何も保存できません。管理者が空き容量を確保する必要があります。"
        }
        Words::NoDatabaseForSession => {
            "サーバーがデータベースを失ったため、何も保存できません。管理者が再起動する必要があります。"
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "会話の合計が、ここで保存できる {limit} を超えています。いくつか削除してから、もう一度送信してください。"
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "この会話で別の回答が始まりました。読み込んで、続きを確認してください。"
        }
        Words::StillAnswering => {
            "この会話はまだ回答中です。回答を待つか停止してから、もう一度送信してください。"
        }
        Words::TooManyWaiting { most } => {
            return format!(
                "この会話では、すでに {most} 件のメッセージが回答を待っています。回答を待つか、1 件取り消してください。"
            )
            .into();
        }
        Words::Locked { reason } => {
            return not_open("ロックされています", reason.as_deref()).into();
        }
        Words::Closed { reason } => return not_open("終了しています", reason.as_deref()).into(),
        Words::EmptyMessage => "メッセージが空です。まず何か入力してください。",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "メッセージがここでの上限 {limit} を超えています。短くして送信してください。"
            )
            .into();
        }
        Words::TitleLength { most } => {
            return format!("タイトルは 1～{most} 文字にしてください。").into();
        }
        Words::NothingToSearchFor => "検索する言葉を入力してください。",
        Words::NoToolWaits => {
            "この会話で回答を待っているこのページのツールはありません。再読み込みして、状況を確認してください。"
        }
        Words::DecidedAlready => {
            "これはすでに決定されています。会話を再読み込みして、その後の経過を確認してください。"
        }
        Words::FormAnsweredAlready => {
            "このフォームはすでに回答されています。会話を再読み込みして、回答を確認してください。"
        }
        Words::ActionFailed => {
            "うまくいきませんでした。もう一度試すか、メッセージで依頼してください。"
        }
        Words::ActionIncomplete => {
            "この操作に必要な情報が足りません。ページを再読み込みして、もう一度お試しください。"
        }
        Words::UploadsDisabled => "このセッションではファイルを送信できません。",
        Words::FileTypeRefused => "この種類のファイルは、このセッションでは許可されていません。",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "ファイルが上限の {limit} を超えています。小さいファイルを送信してください。"
            )
            .into();
        }
        Words::FileTooSlow => {
            "ファイルが時間内に届きませんでした。もう一度送信するか、小さいファイルを送信してください。"
        }
        Words::FileBrokenOff => "ファイルの送信が途中で切れました。もう一度送信してください。",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "ファイルの合計が、ここで保存できる {limit} を超えます。先に、ファイルを含む会話を削除してください。"
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!(
                "このチャットのセッションで送信できる {most} 個のファイルをすべて送信しました。新しいセッションを始めて\
                 ください。"
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!(
                "送信されていないファイルが {most} 個あります。先に、いくつか送信するか削除してください。"
            )
            .into();
        }
        Words::TooManyFiles { most } => {
            return format!("1 件のメッセージに添付できるファイルは {most} 個までです。").into();
        }
        Words::NoSuchFile => "このファイルは存在しません。もう一度添付してください。",
        Words::FileSentAlready => {
            "このファイルはすでに送信済みか、送信中です。もう一度添付してください。"
        }
        Words::FileIsPartOfMessage => {
            "このファイルはメッセージの一部です。削除するには、会話を削除してください。"
        }
        Words::FileOfMessageIsGone => {
            "このメッセージのファイルが見つかりません。もう一度添付してください。"
        }
        Words::PictureNotKept => "作成された画像を保存できなかったため、表示されません。",
        Words::FileOfMessageIsUsed => {
            "このメッセージのファイルは別のメッセージに含まれています。もう一度添付してください。"
        }
        Words::BodyTooSlow => "リクエストが時間内に届きませんでした。もう一度送信してください。",
        Words::TooManyOpenRequests => {
            "このネットワークアドレスからのリクエストが同時接続の上限に達しています。いずれかの応答が終わるまでお待ち\
             ください。"
        }
        Words::TooManyRequests => {
            "このネットワークアドレスからのリクエストが多すぎます。少し待ってから、もう一度お試しください。"
        }
        Words::TooManySessions => {
            "チャットのセッションの開始または更新が多すぎます。少し待ってから、もう一度お試しください。"
        }
        Words::TooManyAnswersForPerson => {
            "同時に作成中の回答が多すぎます。いずれかが終わるまで待つか、停止してください。"
        }
        Words::TooManyAnswersForAddress => {
            "このネットワークアドレスで同時に作成中の回答が多すぎます。少しお待ちください。"
        }
        Words::TooManyAnswersInAll => {
            "このサーバーは上限まで回答を作成しています。しばらくしてからもう一度お試しください。"
        }
        Words::TooManyMessages => "短時間に送られたメッセージが多すぎます。少しお待ちください。",
        Words::SessionMessagesPerMinute { most } => {
            return format!(
                "このチャットが受け付けるメッセージは毎分 {most} 件です。少し待ってから、もう一度送信してください。"
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "このネットワークアドレスからの新しい訪問者が多すぎます。後でもう一度お試しください。"
        }
        Words::TooManyVisitorsOfChat => {
            "この公開チャットは、1 時間に受け付ける新しい訪問者の上限に達しました。少し後でもう一度お越しください。"
        }
        Words::TooManyMessagesOfVisitor => {
            "この公開チャットが 1 時間に受け付けるメッセージの上限に達しました。少し後でもう一度お越しください。"
        }
        Words::TooManyMessagesOfAddress => {
            "この公開チャットがお使いのネットワークアドレスから 1 日に受け付けるメッセージの上限に達しました。後でもう\
             一度お越しください。"
        }
        Words::TooManyMessagesOfChat => {
            "この公開チャットは、1 日に受け付けるメッセージの上限に達しました。後でもう一度お越しください。"
        }
        Words::NotSignedIn => "サインインしていません。サインインして、もう一度お試しください。",
        Words::AssistantNotOpen => {
            "このチャットのアシスタントは、もうご利用いただけません。ページを再読み込みして、新しいチャットを始めて\
             ください。"
        }
        Words::SignInUnchecked { seconds } => {
            return format!(
                "現在、サインインを確認できません。{seconds} 秒後にもう一度お試しください。"
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => {
            format!("この会話は{state}（{reason}）。続けるには、新しいチャットを始めてください。")
        }
        None => format!("この会話は{state}。続けるには、新しいチャットを始めてください。"),
    }
}
