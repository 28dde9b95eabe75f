//! Chinese, in simplified characters.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ".",
    bytes: "字节",
    units: ["KB", "MB", "GB", "TB"],
};

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "您已停止回答。已有的内容会保留。",
        Words::StoppedBeforeItBegan => "您在回答开始之前将其停止了。随时可以再次提问。",
        Words::Abandoned => "由于没有人在等待，回答已结束。已有的内容会保留。",
        Words::Superseded => "一条更新的消息取代了这个回答。已有的内容会保留。",
        Words::SupersededBeforeItBegan => "一条更新的消息在回答开始之前取代了它。",
        Words::Restarting => "服务器正在重启。已有的内容会保留，请稍后重试。",
        Words::RestartingWhileWaiting => "服务器正在重启。您的消息会保留，您回来后将得到回答。",
        Words::SessionEnded => "此聊天会话已结束，请重新加载页面以开始新的会话。",
        Words::ConversationDeleted => "此对话已删除。",
        Words::TakenBack => "消息已撤回。",
        Words::Unanswered => "回答在开始之前被中断。随时可以再次提问。",
        Words::AnsweredElsewhere => "回答已结束。请重新加载对话以查看。",
        Words::LostFromQueue => "此消息已不在这里等待。请重新加载对话以查看它的位置。",
        Words::BrokenOff => "回答中断了。已有的内容会保留，请重试。",
        Words::EmptyAnswer => "模型给出了空的回答。请重试，或换一种方式提问。",
        Words::NoRoomToAnswer => {
            "模型在作出回答之前已达到长度上限。请把问题缩小一些，或只问其中一部分。"
        }
        Words::ToolsUsedUp => {
            "模型使用工具的次数已达到单个回答的上限，但尚未完成。已完成的部分会保留，请让它继续，或一次少要求一些。"
        }
        Words::EndedByToolLimit => "由于使用工具的次数已达上限，回答在此结束。请让它继续。",
        Words::CutOff => "回答因达到长度上限而被截断。请让它继续。",
        Words::TooLongAnswer => "回答超过了允许的长度。已有的内容会保留。",
        Words::TooSlowAnswer => "回答超过了允许的时间。已有的内容会保留，请重试。",
        Words::NotSaved => "无法保存回答。请复制您需要的内容，并稍后重试。",
        Words::NotSavedForWantOfSpace => {
            "无法保存回答：服务器的存储空间已满。请复制您需要的内容，并告知此聊天的管理者。"
        }
        Words::AnotherAnswerHasBegun => "此对话中已开始另一个回答。请重新加载以查看后续内容。",
        Words::ModelUnavailable => "目前无法连接模型。请稍后重试。",
        Words::ModelOverloaded => "模型收到的请求过多。请等待一分钟后重试。",
        Words::ModelMisconfigured => "模型拒绝了此服务器的配置。请告知此聊天的管理者。",
        Words::ModelDeclined => "模型拒绝回答此问题。请换一种方式提问。",
        Words::ModelTimedOut => "模型未及时回答。已有的内容会保留，请重试。",
        Words::ConversationTooLong => "此对话对模型来说已过长。请开始新的聊天以继续。",
        Words::AgentSilent => "助手没有给出回答。请重试，或换一种方式提问。",
        Words::AgentUnavailable | Words::AssistantUnavailable => "目前无法连接助手。请稍后重试。",
        Words::AgentRefused => "助手拒绝了此服务器的请求。请告知此聊天的管理者。",
        Words::AgentTimedOut => "助手未及时回答。已有的内容会保留，请重试。",
        Words::Waiting => "正在等待上一个回答…",
        Words::UsedTools { names, more } => {
            let names = names.join("、");
            return match more {
                0 => format!("已使用 {names}"),
                more => format!("已使用 {names} 以及另外 {more} 个工具"),
            }
            .into();
        }
        Words::Took { time } => return format!("用时 {} 秒", NUMBERS.seconds(*time)).into(),
        Words::FailedAfter { time } => {
            return format!("{} 秒后失败", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "网页搜索",
        Words::FileSearch => "文件搜索",
        Words::CodeInterpreter => "代码解释器",
        Words::ImageGeneration => "图像生成",
        Words::RunTool { name } => return format!("要运行 {name} 吗？").into(),
        Words::Allow => "允许",
        Words::Refuse => "拒绝",
        Words::Allowed => "已允许",
        Words::Refused => "已拒绝",
        Words::ServerAsks { server } => return format!("“{server}”向您提问").into(),
        Words::NoPasswords => "这是工具提出的问题。请勿输入密码或密钥。",
        Words::Agree => "您同意吗？",
        Words::Yes => "是",
        Words::No => "否",
        Words::Required => "必填",
        Words::DefaultIs { value } => return format!("默认：{value}").into(),
        Words::DoesNotFit { answer } => return format!("“{answer}”不适用于此处。").into(),
        Words::ExpectEmail => "电子邮件地址",
        Words::ExpectUri => "类似 https://example.com 的地址",
        Words::ExpectDate => "类似 2026-11-30 的日期",
        Words::ExpectDateTime => "类似 2026-11-30T09:00:00Z 的日期和时间",
        Words::ExpectNumber => "数字",
        Words::ExpectWholeNumber => "整数",
        Words::ExpectChoice => "从中选择",
        Words::AtLeast { least } => return format!("不小于 {least}").into(),
        Words::AtMost { most } => return format!("不大于 {most}").into(),
        Words::CharactersAtLeast { count } => return format!("至少 {count} 个字符").into(),
        Words::CharactersAtMost { count } => return format!("最多 {count} 个字符").into(),
        Words::ChoicesAtLeast { count } => return format!("至少选择 {count} 项").into(),
        Words::ChoicesAtMost { count } => return format!("最多选择 {count} 项").into(),
        Words::ToolStoppedWaiting => {
            "提出此问题的工具已不再等待回答。您的回答已保存；如仍有需要，请再次提出。"
        }
        Words::NotFound => "此对话或消息不存在，请开始新的聊天或重新加载列表。",
        Words::NoRun => "这里没有可以从该处继续接收的回答，请加载对话以查看其内容。",
        Words::NotQueued => "此消息已不再等待：它正在得到回答，或已被撤回。请加载对话以查看。",
        Words::RequestInProgress => "相同的请求正在处理中，请稍后再次发送。",
        Words::AssistantTimedOut => "助手未及时回答，请稍后重试。",
        Words::AssistantUnable => "助手无法完成此操作，或其响应无法理解，请告知此聊天的管理者。",
        Words::StoreBusy => "存储正忙，请稍后重试。",
        Words::InternalError => "发生了内部错误。",
        Words::ServerError => {
            "服务器在处理请求时出错，请重试；如果问题持续存在，请将此响应的 x-request-id 告知管理者。"
        }
        Words::StorageFull => {
            "服务器的存储空间已满，无法保存任何内容。请告知此聊天的管理者，并稍后重试。"
        }
        Words::StorageLost => {
            "服务器的数据库已丢失，无法保存任何内容。请告知此聊天的管理者，并稍后重试。"
        }
        Words::NoRoomForSession => "服务器的存储空间已满，无法保存任何内容。需要由管理者腾出空间。",
        Words::NoDatabaseForSession => {
            "服务器的数据库已丢失，无法保存任何内容。需要由管理者重启服务器。"
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "您的对话已超过您在这里可保存的 {limit}，请删除其中一些，然后再次发送。"
            )
            .into();
        }
        Words::AnsweredByAnother => "此对话中已开始另一个回答，请加载以查看后续内容。",
        Words::StillAnswering => "此对话仍在回答中，请等待回答或将其停止，然后再次发送。",
        Words::TooManyWaiting { most } => {
            return format!(
                "此对话中已有 {most} 条消息在等待回答，请等待其中一条得到回答，或撤回一条。"
            )
            .into();
        }
        Words::Locked { reason } => return not_open("锁定", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("关闭", reason.as_deref()).into(),
        Words::EmptyMessage => "消息为空，请先输入内容。",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("消息超过了这里允许的 {limit}，请发送较短的消息。").into();
        }
        Words::TitleLength { most } => return format!("标题应为 1 到 {most} 个字符。").into(),
        Words::NothingToSearchFor => "请输入要搜索的文字。",
        Words::NoToolWaits => "此对话中没有本页面的工具在等待响应，请重新加载以查看当前状态。",
        Words::DecidedAlready => "此事已作出决定，请重新加载对话以查看后续情况。",
        Words::FormAnsweredAlready => "此表单已填写，请重新加载对话以查看答案。",
        Words::ActionFailed => "操作未成功，请重试，或通过消息提出请求。",
        Words::ActionIncomplete => "此操作缺少所需的数据，请重新加载页面后重试。",
        Words::UploadsDisabled => "此会话不允许上传文件。",
        Words::FileTypeRefused => "此会话不允许上传这种类型的文件。",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("文件超过了允许的 {limit}，请发送较小的文件。").into();
        }
        Words::FileTooSlow => "文件未及时送达，请重新发送，或发送较小的文件。",
        Words::FileBrokenOff => "文件传输中断，请重新发送。",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("您的文件将超过您在这里可保存的 {limit}，请先删除一个包含文件的对话。")
                .into();
        }
        Words::TooManySessionFiles { most } => {
            return format!("此聊天会话最多可发送 {most} 个文件，现已用完，请开始新的会话。")
                .into();
        }
        Words::TooManyUnsentFiles { most } => {
            return format!("您有 {most} 个文件从未发送，请先发送或移除其中一些。").into();
        }
        Words::TooManyFiles { most } => {
            return format!("一条消息最多可包含 {most} 个文件。").into();
        }
        Words::NoSuchFile => "此文件（已）不存在，请重新添加。",
        Words::FileSentAlready => "此文件已发送或正在发送，请重新添加。",
        Words::FileIsPartOfMessage => "此文件属于一条消息，要移除它，请删除该对话。",
        Words::FileOfMessageIsGone => "此消息中的一个文件（已）不存在，请重新添加。",
        Words::PictureNotKept => "生成的图片无法保存，因此不会显示。",
        Words::FileOfMessageIsUsed => "此消息中的一个文件属于另一条消息，请重新添加。",
        Words::BodyTooSlow => "请求未及时送达，请重新发送。",
        Words::TooManyOpenRequests => "此网络地址同时进行的请求已达上限，请等待其中一个得到响应。",
        Words::TooManyRequests => "来自此网络地址的请求过多，请稍候再试。",
        Words::TooManySessions => "开始或续期的聊天会话过多，请稍候再试。",
        Words::TooManyAnswersForPerson => {
            "正在同时为您撰写的回答过多，请等待其中一个完成，或停止一个。"
        }
        Words::TooManyAnswersForAddress => "正在同时为此网络地址撰写的回答过多，请稍候片刻。",
        Words::TooManyAnswersInAll => "此服务器正在撰写的回答已达上限，请稍后重试。",
        Words::TooManyMessages => "短时间内消息过多，请稍候片刻。",
        Words::SessionMessagesPerMinute { most } => {
            return format!("此聊天每分钟接受 {most} 条消息，请稍候再次发送。").into();
        }
        Words::TooManyVisitorsOfAddress => "来自此网络地址的新访客过多，请稍后再试。",
        Words::TooManyVisitorsOfChat => {
            "此公开聊天在一小时内接待的新访客已达上限，请过一会儿再来。"
        }
        Words::TooManyMessagesOfVisitor => {
            "您发送的消息已达到此公开聊天一小时内的上限，请过一会儿再来。"
        }
        Words::TooManyMessagesOfAddress => {
            "此公开聊天一天内从您的网络地址接收的消息已达上限，请以后再来。"
        }
        Words::TooManyMessagesOfChat => "此公开聊天一天内接收的消息已达上限，请以后再来。",
        Words::NotSignedIn => "您尚未登录，请登录后重试。",
        Words::AssistantNotOpen => "此聊天的助手已不再对您开放，请重新加载页面以开始新的聊天。",
        Words::SignInUnchecked { seconds } => {
            return format!("目前无法验证登录，请在 {seconds} 秒后重试。").into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("此对话已{state}：{reason}。请开始新的聊天以继续。"),
        None => format!("此对话已{state}。请开始新的聊天以继续。"),
    }
}
