//! Arabic. Sentences avoid forms that depend on the reader's gender where they can, and numbers in them are followed by
//! nouns in the form that the number asks for.

use std::borrow::Cow;

use super::{Numbers, Words};

const NUMBERS: Numbers = Numbers {
    point: ".",
    bytes: "بايت",
    units: ["كيلوبايت", "ميغابايت", "غيغابايت", "تيرابايت"],
};

/// A noun with its number. Numbers are those of limits: where one is 1 or 2, Arabic says it by the noun alone, and the
/// number stands beside it all the same.
struct Noun {
    one: &'static str,
    two: &'static str,
    /// From 3 to 10.
    few: &'static str,
    /// From 11 to 99.
    many: &'static str,
}

const MESSAGES: Noun = Noun {
    one: "رسالة",
    two: "رسالتان",
    few: "رسائل",
    many: "رسالة",
};
const FILES: Noun = Noun {
    one: "ملف",
    two: "ملفان",
    few: "ملفات",
    many: "ملفًا",
};
const CHARACTERS: Noun = Noun {
    one: "حرف",
    two: "حرفان",
    few: "أحرف",
    many: "حرفًا",
};
const TOOLS: Noun = Noun {
    one: "أداة أخرى",
    two: "أداتان أخريان",
    few: "أدوات أخرى",
    many: "أداة أخرى",
};
const SECONDS: Noun = Noun {
    one: "ثانية",
    two: "ثانيتان",
    few: "ثوانٍ",
    many: "ثانية",
};

impl Noun {
    fn count(&self, number: u64) -> String {
        let noun = match (number, number % 100) {
            (2, _) => self.two,
            (_, 3..=10) => self.few,
            (_, 11..=99) => self.many,
            (_, _) => self.one,
        };
        format!("{number} {noun}")
    }
}

pub(super) fn say(words: &Words) -> Cow<'static, str> {
    let sentence = match words {
        Words::Stopped => "تم إيقاف الإجابة بطلب منك. ما وصل حتى الآن محفوظ.",
        Words::StoppedBeforeItBegan => {
            "تم إيقاف الإجابة بطلب منك قبل أن تبدأ. يمكنك السؤال من جديد متى شئت."
        }
        Words::Abandoned => "أُنهيت الإجابة لأن لا أحد كان ينتظرها. ما وصل حتى الآن محفوظ.",
        Words::Superseded => "حلّت رسالة أحدث محلّ هذه الإجابة. ما وصل حتى الآن محفوظ.",
        Words::SupersededBeforeItBegan => "حلّت رسالة أحدث محلّ هذه الإجابة قبل أن تبدأ.",
        Words::Restarting => {
            "تجري إعادة تشغيل الخادم. ما وصل حتى الآن محفوظ؛ يُرجى المحاولة مجددًا بعد لحظات."
        }
        Words::RestartingWhileWaiting => {
            "تجري إعادة تشغيل الخادم. رسالتك محفوظة، وستتم الإجابة عنها عند عودتك."
        }
        Words::SessionEnded => "انتهت جلسة المحادثة هذه؛ يُرجى إعادة تحميل الصفحة لبدء جلسة جديدة.",
        Words::ConversationDeleted => "تم حذف هذه المحادثة.",
        Words::TakenBack => "تم سحب الرسالة.",
        Words::Unanswered => "قوطعت الإجابة قبل أن تبدأ. يمكنك السؤال من جديد متى شئت.",
        Words::AnsweredElsewhere => "انتهت الإجابة. يُرجى إعادة تحميل المحادثة لرؤيتها.",
        Words::LostFromQueue => {
            "لم تعد هذه الرسالة في الانتظار هنا. يُرجى إعادة تحميل المحادثة لمعرفة مكانها."
        }
        Words::BrokenOff => "انقطعت الإجابة. ما وصل حتى الآن محفوظ؛ يُرجى المحاولة مجددًا.",
        Words::EmptyAnswer => {
            "قدّم النموذج إجابة فارغة. يُرجى المحاولة مجددًا أو طرح السؤال بطريقة أخرى."
        }
        Words::NoRoomToAnswer => {
            "بلغ النموذج حدّ الطول قبل أن يتمكن من الإجابة. يُرجى تضييق السؤال أو طلب جزء منه."
        }
        Words::ToolsUsedUp => {
            "استخدم النموذج أدواته بقدر ما يُسمح به في إجابة واحدة دون أن يصل إلى النهاية. ما أُنجز حتى الآن محفوظ؛ يُرجى \
             طلب المتابعة أو طلب قدر أقل في المرة الواحدة."
        }
        Words::EndedByToolLimit => {
            "انتهت الإجابة هنا لأن الأدوات استُخدمت بقدر ما يُسمح به. يُرجى طلب المتابعة."
        }
        Words::CutOff => "قُطعت الإجابة عند حدّ طولها. يُرجى طلب إكمالها.",
        Words::TooLongAnswer => "تجاوزت الإجابة الطول المسموح به. ما وصل حتى الآن محفوظ.",
        Words::TooSlowAnswer => {
            "استغرقت الإجابة وقتًا أطول من المسموح به. ما وصل حتى الآن محفوظ؛ يُرجى المحاولة مجددًا."
        }
        Words::NotSaved => "تعذّر حفظ الإجابة. يُرجى نسخ ما تحتاج إليه والمحاولة مجددًا بعد لحظات.",
        Words::NotSavedForWantOfSpace => {
            "تعذّر حفظ الإجابة: مساحة تخزين الخادم ممتلئة. يُرجى نسخ ما تحتاج إليه وإبلاغ القائمين على هذه الدردشة."
        }
        Words::AnotherAnswerHasBegun => {
            "بدأت إجابة أخرى في هذه المحادثة. يُرجى إعادة تحميلها لمعرفة ما يليها."
        }
        Words::ModelUnavailable => {
            "يتعذّر الوصول إلى النموذج في الوقت الحالي. يُرجى المحاولة مجددًا بعد قليل."
        }
        Words::ModelOverloaded => {
            "يتلقى النموذج طلبات كثيرة جدًا. يُرجى الانتظار دقيقة ثم المحاولة مجددًا."
        }
        Words::ModelMisconfigured => {
            "رفض النموذج إعدادات هذا الخادم. يُرجى إبلاغ القائمين على هذه الدردشة."
        }
        Words::ModelDeclined => "امتنع النموذج عن الإجابة عن هذا. يُرجى طرح السؤال بطريقة أخرى.",
        Words::ModelTimedOut => {
            "لم يُجب النموذج في الوقت المحدد. ما وصل حتى الآن محفوظ؛ يُرجى المحاولة مجددًا."
        }
        Words::ConversationTooLong => {
            "أصبحت هذه المحادثة أطول مما يحتمله النموذج. يُرجى بدء دردشة جديدة للمتابعة."
        }
        Words::AgentSilent => {
            "لم يقدّم المساعد أي إجابة. يُرجى المحاولة مجددًا أو طرح السؤال بطريقة أخرى."
        }
        Words::AgentUnavailable => {
            "يتعذّر الوصول إلى المساعد في الوقت الحالي. يُرجى المحاولة مجددًا بعد قليل."
        }
        Words::AgentRefused => "رفض المساعد طلب هذا الخادم. يُرجى إبلاغ القائمين على هذه الدردشة.",
        Words::AgentTimedOut => {
            "لم يُجب المساعد في الوقت المحدد. ما وصل حتى الآن محفوظ؛ يُرجى المحاولة مجددًا."
        }
        Words::Waiting => "في انتظار الإجابة السابقة…",
        Words::UsedTools { names, more } => {
            let names = names.join("، ");
            return match more {
                0 => format!("استُخدم: {names}"),
                more => format!("استُخدم: {names} و{}", TOOLS.count(*more as u64)),
            }
            .into();
        }
        Words::Took { time } => {
            return format!("استغرق {} ث", NUMBERS.seconds(*time)).into();
        }
        Words::FailedAfter { time } => {
            return format!("فشل بعد {} ث", NUMBERS.seconds(*time)).into();
        }
        Words::WebSearch => "بحث في الويب",
        Words::FileSearch => "بحث في الملفات",
        Words::CodeInterpreter => "مفسّر الشيفرة",
        Words::ImageGeneration => "إنشاء الصور",
        Words::RunTool { name } => return format!("هل تريد تشغيل {name}؟").into(),
        Words::Allow => "سماح",
        Words::Refuse => "رفض",
        Words::Allowed => "تم السماح",
        Words::Refused => "تم الرفض",
        Words::ServerAsks { server } => return format!("يسألك «{server}»").into(),
        Words::NoPasswords => "هذا السؤال من أداة. لا تُدخل كلمات مرور أو مفاتيح.",
        Words::Agree => "هل توافق؟",
        Words::Yes => "نعم",
        Words::No => "لا",
        Words::Required => "مطلوب",
        Words::DefaultIs { value } => return format!("الافتراضي: {value}").into(),
        Words::DoesNotFit { answer } => return format!("«{answer}» غير مناسب هنا.").into(),
        Words::ExpectEmail => "عنوان بريد إلكتروني",
        Words::ExpectUri => "عنوان مثل https://example.com",
        Words::ExpectDate => "تاريخ مثل 2026-11-30",
        Words::ExpectDateTime => "تاريخ ووقت مثل 2026-11-30T09:00:00Z",
        Words::ExpectNumber => "رقم",
        Words::ExpectWholeNumber => "عدد صحيح",
        Words::ExpectChoice => "واحد من هذه",
        Words::AtLeast { least } => return format!("{least} على الأقل").into(),
        Words::AtMost { most } => return format!("{most} على الأكثر").into(),
        Words::CharactersAtLeast { count } => return format!("عدد الأحرف: {count} على الأقل").into(),
        Words::CharactersAtMost { count } => return format!("عدد الأحرف: {count} على الأكثر").into(),
        Words::ChoicesAtLeast { count } => return format!("اختر {count} على الأقل").into(),
        Words::ChoicesAtMost { count } => return format!("اختر {count} على الأكثر").into(),
        Words::ToolStoppedWaiting => {
            "الأداة التي طرحت هذا السؤال لم تعد تنتظر جوابًا. ما أجبت به محفوظ؛ اطلب مرة أخرى إذا كان لا يزال لازمًا."
        }
        Words::NotFound => {
            "هذه المحادثة أو الرسالة غير موجودة؛ يُرجى بدء دردشة جديدة أو إعادة تحميل القائمة."
        }
        Words::NoRun => {
            "لا توجد هنا إجابة جارية يمكن متابعتها من تلك النقطة؛ يُرجى تحميل المحادثة لمعرفة محتواها."
        }
        Words::NotQueued => {
            "لم تعد هذه الرسالة في الانتظار: تجري الإجابة عنها أو تم سحبها؛ يُرجى تحميل المحادثة لرؤيتها."
        }
        Words::RequestInProgress => "يجري تنفيذ الطلب نفسه بالفعل؛ يُرجى إرساله مجددًا بعد لحظات.",
        Words::AssistantUnavailable => {
            "يتعذّر الوصول إلى المساعد في الوقت الحالي؛ يُرجى المحاولة مجددًا بعد قليل."
        }
        Words::AssistantTimedOut => "لم يُجب المساعد في الوقت المحدد؛ يُرجى المحاولة مجددًا بعد قليل.",
        Words::AssistantUnable => {
            "لا يقوم المساعد بهذا، أو لا يقوم به على نحو مفهوم؛ يُرجى إبلاغ القائمين على هذه الدردشة."
        }
        Words::StoreBusy => "وحدة التخزين مشغولة؛ يُرجى المحاولة مجددًا بعد لحظات.",
        Words::InternalError => "حدث خطأ داخلي.",
        Words::ServerError => {
            "حدث خطأ في الخادم أثناء معالجة الطلب؛ يُرجى المحاولة مجددًا، وإبلاغ القائمين عليه بقيمة x-request-id لهذا \
             الرد إذا استمر الخطأ."
        }
        Words::StorageFull => {
            "مساحة تخزين الخادم ممتلئة، لذا لا يمكن حفظ أي شيء؛ يُرجى إبلاغ القائمين على هذه الدردشة والمحاولة لاحقًا."
        }
        Words::StorageLost => {
            "فقد الخادم قاعدة بياناته، لذا لا يمكن حفظ أي شيء؛ يُرجى إبلاغ القائمين على هذه الدردشة والمحاولة لاحقًا."
        }
        Words::NoRoomForSession => {
            "مساحة تخزين الخادم ممتلئة، لذا لا يمكن حفظ أي شيء؛ على القائمين عليه إخلاء مساحة."
        }
        Words::NoDatabaseForSession => {
            "فقد الخادم قاعدة بياناته، لذا لا يمكن حفظ أي شيء؛ على القائمين عليه إعادة تشغيله."
        }
        Words::MessagesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "تشغل محادثاتك أكثر من المساحة المتاحة لك هنا ({limit})؛ يُرجى حذف بعضها ثم إرسال هذا مجددًا."
            )
            .into();
        }
        Words::AnsweredByAnother => {
            "بدأت إجابة أخرى في هذه المحادثة؛ يُرجى تحميلها لمعرفة ما يليها."
        }
        Words::StillAnswering => {
            "ما زالت الإجابة جارية في هذه المحادثة؛ يُرجى انتظارها أو إيقافها ثم إرسال هذا مجددًا."
        }
        Words::TooManyWaiting { most } => {
            let most = MESSAGES.count(u64::from(*most));
            return format!(
                "في هذه المحادثة بالفعل {most} في انتظار الإجابة؛ يُرجى انتظار إحداها أو سحب رسالة."
            )
            .into();
        }
        Words::Locked { reason } => return not_open("مقفلة", reason.as_deref()).into(),
        Words::Closed { reason } => return not_open("مغلقة", reason.as_deref()).into(),
        Words::EmptyMessage => "الرسالة فارغة؛ يُرجى كتابة شيء أولًا.",
        Words::MessageTooLong { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "الرسالة أطول من الحدّ المسموح به هنا ({limit})؛ يُرجى إرسال رسالة أقصر."
            )
            .into();
        }
        Words::TitleLength { most } => {
            let most = CHARACTERS.count(*most as u64);
            return format!("طول العنوان من 1 إلى {most}.").into();
        }
        Words::NothingToSearchFor => "اكتب كلمة واحدة على الأقل للبحث عنها.",
        Words::NoToolWaits => {
            "لا توجد أداة من هذه الصفحة تنتظر ردًا في هذه المحادثة؛ يُرجى إعادة تحميلها لمعرفة حالتها."
        }
        Words::DecidedAlready => "سبق البتّ في هذا؛ يُرجى إعادة تحميل المحادثة لمعرفة ما جرى بعده.",
        Words::FormAnsweredAlready => {
            "سبقت الإجابة عن هذا النموذج؛ يُرجى إعادة تحميل المحادثة لرؤية الإجابات."
        }
        Words::ActionFailed => "لم ينجح هذا؛ يُرجى المحاولة مجددًا أو طلبه في رسالة.",
        Words::ActionIncomplete => {
            "تنقص هذا الإجراء بيانات؛ يُرجى إعادة تحميل الصفحة ثم المحاولة مجددًا."
        }
        Words::UploadsDisabled => "إرسال الملفات معطّل في هذه الجلسة.",
        Words::FileTypeRefused => "هذا النوع من الملفات غير مسموح به في هذه الجلسة.",
        Words::FileTooLarge { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!("الملف أكبر من الحدّ المسموح به ({limit})؛ يُرجى إرسال ملف أصغر.").into();
        }
        Words::FileTooSlow => "لم يصل الملف في الوقت المحدد؛ يُرجى إرساله مجددًا أو إرسال ملف أصغر.",
        Words::FileBrokenOff => "انقطع إرسال الملف؛ يُرجى إرساله مجددًا.",
        Words::FilesTakeAllRoom { limit } => {
            let limit = NUMBERS.size(*limit);
            return format!(
                "ستشغل ملفاتك أكثر من المساحة المتاحة لك هنا ({limit})؛ يُرجى أولًا حذف محادثة تحتوي على ملفات."
            )
            .into();
        }
        Words::TooManySessionFiles { most } => {
            let most = FILES.count(u64::from(*most));
            return format!(
                "أرسلت جلسة الدردشة هذه كل ما يُسمح لها بإرساله ({most})؛ يُرجى بدء جلسة جديدة."
            )
            .into();
        }
        Words::TooManyUnsentFiles { most } => {
            let most = FILES.count(u64::from(*most));
            return format!("لديك ملفات لم تُرسل قط ({most})؛ يُرجى أولًا إرسال بعضها أو إزالته.")
                .into();
        }
        Words::TooManyFiles { most } => {
            let most = FILES.count(*most as u64);
            return format!("الحدّ الأقصى في الرسالة الواحدة: {most}.").into();
        }
        Words::NoSuchFile => "هذا الملف غير موجود (أو لم يعد موجودًا)؛ يُرجى إرفاقه مجددًا.",
        Words::FileSentAlready => "سبق إرسال هذا الملف أو يجري إرساله الآن؛ يُرجى إرفاقه مجددًا.",
        Words::FileIsPartOfMessage => "هذا الملف جزء من رسالة؛ يُرجى حذف المحادثة لإزالته.",
        Words::FileOfMessageIsGone => {
            "أحد ملفات هذه الرسالة غير موجود (أو لم يعد موجودًا)؛ يُرجى إرفاقه مجددًا."
        }
        Words::PictureNotKept => "تعذّر حفظ صورة تم إنشاؤها، لذلك لن تُعرض.",
        Words::FileOfMessageIsUsed => "أحد ملفات هذه الرسالة جزء من رسالة أخرى؛ يُرجى إرفاقه مجددًا.",
        Words::BodyTooSlow => "لم يصل الطلب في الوقت المحدد؛ يُرجى إرساله مجددًا.",
        Words::TooManyOpenRequests => {
            "بلغت الطلبات المفتوحة من عنوان الشبكة هذا الحدّ المسموح به؛ يُرجى الانتظار حتى يُجاب عن أحدها."
        }
        Words::TooManyRequests => {
            "طلبات كثيرة جدًا من عنوان الشبكة هذا؛ يُرجى الانتظار قليلًا والمحاولة مجددًا."
        }
        Words::TooManySessions => {
            "بُدئت أو جُدّدت جلسات دردشة كثيرة جدًا؛ يُرجى الانتظار قليلًا والمحاولة مجددًا."
        }
        Words::TooManyAnswersForPerson => {
            "تُكتب لك إجابات كثيرة جدًا في الوقت نفسه؛ يُرجى الانتظار حتى تكتمل إحداها أو إيقاف واحدة."
        }
        Words::TooManyAnswersForAddress => {
            "تُكتب إجابات كثيرة جدًا في الوقت نفسه لعنوان الشبكة هذا؛ يُرجى الانتظار قليلًا."
        }
        Words::TooManyAnswersInAll => {
            "يكتب هذا الخادم أقصى ما يستطيع من الإجابات؛ يُرجى المحاولة مجددًا بعد لحظات."
        }
        Words::TooManyMessages => "رسائل كثيرة جدًا في وقت قصير؛ يُرجى الانتظار قليلًا.",
        Words::SessionMessagesPerMinute { most } => {
            let most = MESSAGES.count(u64::from(*most));
            return format!(
                "الحدّ الأقصى في هذه الدردشة خلال الدقيقة: {most}؛ يُرجى الانتظار قليلًا ثم الإرسال مجددًا."
            )
            .into();
        }
        Words::TooManyVisitorsOfAddress => {
            "زوار جدد كثيرون جدًا من عنوان الشبكة هذا؛ يُرجى المحاولة لاحقًا."
        }
        Words::TooManyVisitorsOfChat => {
            "بلغت هذه الدردشة العامة حدّ الزوار الجدد في الساعة؛ يُرجى العودة بعد قليل."
        }
        Words::TooManyMessagesOfVisitor => {
            "بلغت رسائلك الحدّ الذي تقبله هذه الدردشة العامة في الساعة؛ يُرجى العودة بعد قليل."
        }
        Words::TooManyMessagesOfAddress => {
            "بلغت الرسائل من عنوان شبكتك الحدّ الذي تقبله هذه الدردشة العامة في اليوم؛ يُرجى العودة لاحقًا."
        }
        Words::TooManyMessagesOfChat => {
            "بلغت هذه الدردشة العامة حدّ الرسائل في اليوم؛ يُرجى العودة لاحقًا."
        }
        Words::NotSignedIn => "لم يتم تسجيل دخولك؛ يُرجى تسجيل الدخول والمحاولة مجددًا.",
        Words::AssistantNotOpen => {
            "لم يعد مساعد هذه الدردشة متاحًا لك؛ يُرجى إعادة تحميل الصفحة لبدء دردشة جديدة."
        }
        Words::SignInUnchecked { seconds } => {
            let seconds = SECONDS.count(*seconds);
            return format!(
                "يتعذّر التحقق من تسجيل الدخول في الوقت الحالي؛ يُرجى المحاولة مجددًا بعد مهلة ({seconds})."
            )
            .into();
        }
    };
    sentence.into()
}

fn not_open(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => {
            format!("هذه المحادثة {state}: {reason}؛ يُرجى بدء دردشة جديدة للمتابعة.")
        }
        None => format!("هذه المحادثة {state}؛ يُرجى بدء دردشة جديدة للمتابعة."),
    }
}
