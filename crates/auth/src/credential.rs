//! What the credentials of this server look like: how they are made, told apart and looked up.
//!
//! | kind | text |
//! |---|---|
//! | client secret | `ek_` random check `_00` base64 of `{"expires_at":1700000000}` |
//! | public token | `pk_live_` or `pk_test_`, random `_` check |
//! | domain key | `dk_live_` or `dk_test_`, random `_` check |
//! | server key | `sk_` random `_` check |
//! | resume token | `vk_` random `_` check |
//!
//! Random is 256 bits as 43 digits of base 62; check is the CRC-32 of everything else as 6 digits.
//! The check is not a secret. It tells a typo from an unknown credential without a read from the
//! database, and lets scanners find leaked credentials:
//! `\b(ek|sk|vk)_[0-9A-Za-z]{43}_?[0-9A-Za-z]{6}` and
//! `\b[pd]k_(live|test)_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b`.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    encoding::parse_json_object,
    error::Error,
    foreign::maker_of,
    identity::Environment,
    ports::{Digest, Random, RandomError},
    rejection::{Reason, Rejection},
    time::UnixTime,
};

/// The longest text that is looked at as one of our own credentials, in bytes.
const MAX_CREDENTIAL_BYTES: usize = 256;
const RANDOM_DIGITS: usize = 43;
const CHECK_DIGITS: usize = 6;
/// Where code written for the hosted client secrets splits them: behind it comes the expiry.
const EXPIRY_MARK: &str = "_00";

/// Which kind of credential a text is. No kind is accepted where another is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token of an issuer, or anything else that is not one of ours; only an issuer's key can
    /// tell.
    Jwt,
    /// `ek_…`: one user's chat, for a short time.
    ClientSecret,
    /// `pk_…`: opens anonymous visitors.
    PublicToken(Environment),
    /// `dk_…`: says which registered origin a page is.
    DomainKey(Environment),
    /// `sk_…`: the operator's own servers.
    ServerKey,
    /// `vk_…`: a visitor's browser, kept in a cookie.
    ResumeToken,
}

impl Kind {
    /// The kind's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "token of an issuer",
            Self::ClientSecret => "client secret (ek_)",
            Self::PublicToken(_) => "public token (pk_)",
            Self::DomainKey(_) => "domain key (dk_)",
            Self::ServerKey => "server key (sk_)",
            Self::ResumeToken => "visitor's resume token (vk_)",
        }
    }

    /// What every credential of this kind begins with; empty for JWTs.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Jwt => "",
            Self::ClientSecret => "ek_",
            Self::PublicToken(Environment::Live) => "pk_live_",
            Self::PublicToken(Environment::Test) => "pk_test_",
            Self::DomainKey(Environment::Live) => "dk_live_",
            Self::DomainKey(Environment::Test) => "dk_test_",
            Self::ServerKey => "sk_",
            Self::ResumeToken => "vk_",
        }
    }
}

impl Kind {
    /// How long one is, where all of a kind are of one length.
    fn length(self) -> Option<usize> {
        match self {
            Self::Jwt | Self::ClientSecret => None,
            Self::PublicToken(_) | Self::DomainKey(_) | Self::ServerKey | Self::ResumeToken => {
                Some(self.prefix().len() + RANDOM_DIGITS + 1 + CHECK_DIGITS)
            }
        }
    }
}

/// The kinds that this server makes.
const OWN_KINDS: [Kind; 7] = [
    Kind::ClientSecret,
    Kind::PublicToken(Environment::Live),
    Kind::PublicToken(Environment::Test),
    Kind::DomainKey(Environment::Live),
    Kind::DomainKey(Environment::Test),
    Kind::ServerKey,
    Kind::ResumeToken,
];

/// Says which kind a text is. One of ours has to pass its check, so a typo ends here.
pub fn classify(text: &str) -> Result<Kind, Rejection> {
    // Every prefix of ours has this in its place, and no compact JWS does.
    if text.as_bytes().get(1..3) != Some(b"k_") {
        return Ok(Kind::Jwt);
    }
    let Some(kind) = OWN_KINDS
        .into_iter()
        .find(|kind| text.starts_with(kind.prefix()))
    else {
        // A prefix of ours with an environment that does not exist is a typo, not a token of an
        // issuer.
        let is_ours = text.starts_with("pk_") || text.starts_with("dk_");
        return if is_ours {
            Err(misspelled(text, None))
        } else {
            Ok(Kind::Jwt)
        };
    };
    let is_good = match kind {
        Kind::ClientSecret => expiry_of(text).is_some(),
        _ => is_plain(kind, text),
    };
    if is_good {
        Ok(kind)
    } else {
        Err(misspelled(text, Some(kind)))
    }
}

/// Says which kind a text was meant to be and what is wrong with it, without repeating it.
fn misspelled(text: &str, kind: Option<Kind>) -> Rejection {
    let detail = match (maker_of(text), kind) {
        (Some(maker), _) => format!("it begins like a key of {maker}"),
        (None, None) => format!(
            "it begins with {}, and behind that comes `live_` or `test_`",
            text.chars().take(3).collect::<String>()
        ),
        (None, Some(kind)) => {
            let (name, length) = (kind.name(), text.chars().count());
            match kind.length() {
                Some(whole) if whole != length => {
                    format!(
                        "it begins like a {name} and has {length} characters; a whole one has {whole}"
                    )
                }
                _ => format!(
                    "it begins like a {name} and has {length} characters, one of which at least is wrong: its check \
                     digits do not fit"
                ),
            }
        }
    };
    Rejection::new(Reason::Misspelled).with_detail(format!(
        "{detail}; this server makes client secrets (ek_), public tokens (pk_live_, pk_test_), domain keys (dk_live_, \
         dk_test_), server keys (sk_) and visitors' resume tokens (vk_)"
    ))
}

/// Demands one kind.
pub(crate) fn demand(text: &str, is_wanted: impl FnOnce(Kind) -> bool) -> Result<Kind, Rejection> {
    let kind = classify(text)?;
    if is_wanted(kind) {
        return Ok(kind);
    }
    Err(Rejection::new(Reason::WrongKind).with_detail(format!("this is a {}", kind.name())))
}

/// What is stored instead of a credential, and what it is looked up by.
///
/// Plain SHA-256 is enough: nobody can try 2^256 inputs, so there is nothing for a slow hash to
/// slow down.
pub fn digest(text: &str) -> Digest {
    crate::sha256(text.as_bytes())
}

/// The first characters of a credential, enough to tell it from others and too few to use it.
pub(crate) fn hint(kind: Kind, text: &str) -> String {
    text.chars()
        .take(kind.prefix().len() + 4)
        .chain(std::iter::once('…'))
        .collect()
}

/// The first characters of a key that was made elsewhere: a few of many, less of a short one.
pub(crate) fn foreign_hint(text: &str) -> String {
    text.chars()
        .take((text.len() / 4).min(8))
        .chain(std::iter::once('…'))
        .collect()
}

/// Makes a credential of any kind but [`Kind::ClientSecret`], which needs an expiry, and
/// [`Kind::Jwt`].
pub(crate) fn mint(kind: Kind, random: &dyn Random) -> Result<SecretString, Error> {
    if matches!(kind, Kind::Jwt | Kind::ClientSecret) {
        return Err(Error::Internal(
            "this kind of credential is made elsewhere".into(),
        ));
    }
    let body = format!("{}{}_", kind.prefix(), random_digits(random)?);
    let check = check_digits(&[&body]);
    Ok((body + &check).into())
}

/// Where the time of this process began: the order of the ids of one second.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A short public id: the prefix, and in base 62 the second it was made in (40 bits), the microseconds
/// that have passed on another clock (24 bits) and 64 random bits. Ids in the order of time lie
/// together in the store, which makes them cheap to add.
pub(crate) fn public_id(
    prefix: &str,
    now: UnixTime,
    random: &dyn Random,
) -> Result<String, RandomError> {
    let mut bytes = [0; 16];
    let (time, chance) = bytes.split_at_mut(8);
    time.copy_from_slice(&time_bytes(now, START.elapsed()).to_be_bytes());
    random.fill(chance)?;
    Ok(format!("{prefix}{}", base62::<22>(&bytes)))
}

/// The lower 40 bits of the seconds, and behind them the lower 24 of the microseconds.
fn time_bytes(now: UnixTime, elapsed: Duration) -> u64 {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    (u64::from_be_bytes(now.seconds().to_be_bytes()) << 24) | (micros & 0x00ff_ffff)
}

/// Makes a client secret from 32 random bytes.
///
/// `None` when its digits begin with `00`: then the text would have two expiry marks, and code that splits at the first
/// would read rubbish. The caller takes other bytes.
pub(crate) fn client_secret(bytes: &[u8; 32], expires_at: UnixTime) -> Option<SecretString> {
    let digits = base62::<RANDOM_DIGITS>(bytes);
    if digits.starts_with("00") {
        return None;
    }
    let payload = STANDARD.encode(format!(r#"{{"expires_at":{}}}"#, expires_at.seconds()));
    let body = format!("{}{digits}", Kind::ClientSecret.prefix());
    let check = check_digits(&[&body, &payload]);
    Some(format!("{body}{check}{EXPIRY_MARK}{payload}").into())
}

/// The expiry that a client secret carries in clear, when the secret passes its check.
///
/// For clients and error messages only: what counts is the expiry in the store.
pub fn expiry_of(client_secret: &str) -> Option<UnixTime> {
    let prefix = Kind::ClientSecret.prefix();
    if client_secret.len() > MAX_CREDENTIAL_BYTES {
        return None;
    }
    let (body, rest) = client_secret.split_at_checked(prefix.len() + RANDOM_DIGITS)?;
    let (check, rest) = rest.split_at_checked(CHECK_DIGITS)?;
    let payload = rest.strip_prefix(EXPIRY_MARK)?;
    let digits = body.strip_prefix(prefix)?;
    if !is_base62(digits) || digits.starts_with("00") || check != check_digits(&[body, payload]) {
        return None;
    }
    let members = parse_json_object(&STANDARD.decode(payload).ok()?).ok()?;
    members
        .get("expires_at")
        .and_then(Value::as_i64)
        .map(UnixTime::from_seconds)
}

fn is_plain(kind: Kind, text: &str) -> bool {
    if kind.length() != Some(text.len()) {
        return false;
    }
    let Some((body, check)) = text.split_at_checked(text.len() - CHECK_DIGITS) else {
        return false;
    };
    let digits = body
        .strip_prefix(kind.prefix())
        .and_then(|rest| rest.strip_suffix('_'));
    digits.is_some_and(is_base62) && check == check_digits(&[body])
}

fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn random_digits(random: &dyn Random) -> Result<String, RandomError> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(base62::<RANDOM_DIGITS>(&bytes))
}

/// A number of whole 32-bit words, most significant byte first, as a fixed count of base 62 digits.
fn base62<const DIGITS: usize>(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    /// Five digits at a time: the largest power of 62 below 2^32.
    const STEP: u64 = 62_u64.pow(5);
    let (words, _) = bytes.as_chunks::<4>();
    let mut number: Vec<u32> = words.iter().copied().map(u32::from_be_bytes).collect();
    let mut digits = [b'0'; DIGITS];
    for group in digits.rchunks_mut(5) {
        // Long division by STEP; what remains are the next five digits.
        let mut rest = 0;
        for word in &mut number {
            let part = rest << 32 | u64::from(*word);
            *word = u32::try_from(part / STEP).unwrap_or_default();
            rest = part % STEP;
        }
        for digit in group.iter_mut().rev() {
            *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or_default()];
            rest /= 62;
        }
    }
    digits.iter().copied().map(char::from).collect()
}

fn check_digits(parts: &[&str]) -> String {
    base62::<CHECK_DIGITS>(&crc32(parts).to_be_bytes())
}

/// CRC-32 (ISO-HDLC, the one of zip and PNG).
fn crc32(parts: &[&str]) -> u32 {
    /// What each byte does to the sum.
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0_u32;
        while byte < 256 {
            let mut sum = byte;
            let mut bit = 0;
            while bit < 8 {
                sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
                bit += 1;
            }
            table[byte as usize] = sum;
            byte += 1;
        }
        table
    };
    let mut crc = u32::MAX;
    for byte in parts.iter().flat_map(|part| part.bytes()) {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ TABLE[usize::from(low ^ byte)];
    }
    !crc
}

/// SHA-256 of anything.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests;
