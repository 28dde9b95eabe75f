//! Door 2: public tokens, and the anonymous visitors that come through them.
//!
//! A public token is in the page's source, so it opens nothing that exists: it only lets a page of
//! its origins have visitors, each with an identity and threads of its own. A copied token costs
//! quota and nothing else.
//!
//! A visitor's browser keeps a resume token, which is replaced once a day when it comes back, so that
//! one that was copied long ago opens nothing. The earlier one works until the fresh one has come back
//! and [`OVERLAP`] longer: an answer may be lost, and two tabs may ask at once. Whoever shows the
//! earlier one gets the same fresh one again. It is derived as client secrets are (see the
//! `client_secret` module), because only hashes are kept.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;

use crate::{
    credential::{self, Kind},
    domain::{Domains, Origin},
    error::Error,
    identity::{Environment, Identity},
    origin_refusal::{InHand, OriginCause, OriginRefusal},
    ports::{
        CredentialStore, DomainRecord, EarlierResume, PublicTokenRecord, Quotas, Random,
        VisitorRecord,
    },
    rejection::{Reason, quote},
    time::UnixTime,
};
use secrecy::{ExposeSecret, SecretString};

/// How old a resume token gets before it is replaced.
pub const RESUME_REPLACED_AFTER: Duration = Duration::from_hours(24);
/// How long an earlier resume token works once the fresh one has come back.
pub const OVERLAP: Duration = Duration::from_mins(10);
/// How many origins a token may be for.
pub const MAX_TOKEN_ORIGINS: usize = 20;
/// The longest label, in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 200;

/// What a new public token is for.
#[derive(Debug, Clone)]
pub struct NewPublicToken {
    /// What it is for, in the operator's words.
    pub label: String,
    /// Which environment its visitors act in.
    pub environment: Environment,
    /// The origins whose pages may use it; may be empty for `test`, where pages on this machine are
    /// always allowed.
    pub origins: Vec<String>,
    /// The workflow that answers; the configured default when absent.
    pub workflow: Option<String>,
    /// What its visitors may do.
    pub quotas: Quotas,
}

/// A visitor that came or came back.
#[derive(Debug)]
pub struct Visitor {
    /// Who it is here. Lasts as long as the caller's session for it.
    pub identity: Identity,
    /// What is stored about it.
    pub record: VisitorRecord,
    /// The fresh resume token for the browser to keep; absent when it came back with a good one.
    pub resume: Option<SecretString>,
    /// Whether it came for the first time.
    pub is_new: bool,
}

/// A public token that was just made.
pub(crate) struct Created {
    /// Its text, for the only time.
    pub(crate) token: SecretString,
    pub(crate) record: PublicTokenRecord,
    /// Its origins that were not registered before.
    pub(crate) new_domains: Vec<DomainRecord>,
}

/// Makes, checks and revokes public tokens, and knows their visitors.
pub struct PublicTokens {
    store: Arc<dyn CredentialStore>,
    random: Arc<dyn Random>,
    domains: Arc<Domains>,
}

impl fmt::Debug for PublicTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PublicTokens")
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

impl PublicTokens {
    /// Tokens kept in this store, whose origins are also on this list.
    pub fn new(
        store: Arc<dyn CredentialStore>,
        random: Arc<dyn Random>,
        domains: Arc<Domains>,
    ) -> Self {
        Self {
            store,
            random,
            domains,
        }
    }

    /// Makes a token, and registers its origins, so that one list says which pages may come at all.
    pub async fn create(
        &self,
        new: NewPublicToken,
        now: UnixTime,
    ) -> Result<(SecretString, PublicTokenRecord), Error> {
        let created = self.create_and_tell(new, now).await?;
        Ok((created.token, created.record))
    }

    /// As [`PublicTokens::create`], and tells which origins were not registered before.
    pub(crate) async fn create_and_tell(
        &self,
        new: NewPublicToken,
        now: UnixTime,
    ) -> Result<Created, Error> {
        if new.origins.len() > MAX_TOKEN_ORIGINS {
            return Err(Error::Unusable(format!(
                "a token can be for {MAX_TOKEN_ORIGINS} origins at most"
            )));
        }
        if new.origins.is_empty() && new.environment == Environment::Live {
            return Err(Error::Unusable(
                "a live token needs the origins of its pages: --origin https://…; for pages on this machine, make a test token: --env test".to_owned(),
            ));
        }
        check_label(&new.label)?;
        let mut origins = Vec::with_capacity(new.origins.len());
        for text in &new.origins {
            origins.push(
                Origin::parse(text)
                    .map_err(|error| Error::Unusable(format!("{}: {error}", quote(text))))?,
            );
        }
        let mut new_domains = Vec::new();
        for origin in &origins {
            let added = self.domains.add_origin(origin, new.environment, now);
            let (domain, is_new) = added.await?;
            if is_new {
                new_domains.push(domain);
            }
        }
        let kind = Kind::PublicToken(new.environment);
        let token = credential::mint(kind, &*self.random)?;
        let record = PublicTokenRecord {
            id: credential::public_id("pkt_", now, &*self.random)?,
            digest: credential::digest(token.expose_secret()),
            hint: credential::hint(kind, token.expose_secret()),
            label: new.label,
            environment: new.environment,
            origins: origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            workflow: new.workflow,
            quotas: new.quotas,
            created_at: now,
            revoked_at: None,
        };
        self.store.insert_public_token(&record).await?;
        Ok(Created {
            token,
            record,
            new_domains,
        })
    }

    /// Checks a presented token and the `Origin` header values that came with it.
    ///
    /// The origin must be on the allowlist and one of the token's own. For `test` tokens a page on
    /// this machine is always both.
    pub async fn authenticate(
        &self,
        presented: &str,
        origin: &[&str],
    ) -> Result<PublicTokenRecord, Error> {
        let kind = credential::demand(presented, |kind| matches!(kind, Kind::PublicToken(_)))?;
        let found = self
            .store
            .find_public_token(&credential::digest(presented))
            .await?;
        let record = found.ok_or(Reason::UnknownCredential)?;
        if kind != Kind::PublicToken(record.environment) {
            return Err(Reason::UnknownCredential.into());
        }
        if record.revoked_at.is_some() {
            return Err(Reason::Revoked.into());
        }
        let in_hand = InHand::from(&record);
        let origin = self.domains.check(origin, &in_hand).await?;
        if !self.is_for_page(record.environment, &record.origins, &origin) {
            let cause = OriginCause::NotForToken(origin);
            return Err(OriginRefusal::new(cause, in_hand, record.origins).into());
        }
        Ok(record)
    }

    /// Whether a page of this origin, which is on the allowlist, may use a token of these origins, and
    /// the secrets of its visitors.
    pub fn is_for_page(&self, environment: Environment, origins: &[String], page: &Origin) -> bool {
        (environment == Environment::Test && page.is_local())
            || self.domains.is_own(page)
            || origins.iter().any(|own| own == page.as_str())
    }

    /// Lets a visitor in: the one that this resume token belongs to, or a new one.
    ///
    /// A resume token that is unknown, misspelled or of another public token is not an error: the
    /// browser then simply gets a new visitor, because an anonymous page has nobody to ask.
    /// `expires_at` is when the caller's session for the visitor will end.
    pub async fn visit(
        &self,
        token: &PublicTokenRecord,
        resume: Option<&str>,
        expires_at: UnixTime,
        now: UnixTime,
    ) -> Result<Visitor, Error> {
        if let Some(record) = self.returning(token, resume, now).await? {
            self.store.touch_visitor(&record.id, now).await?;
            let fresh = match resume {
                Some(shown) => self.renew_resume(&record, shown, now).await?,
                None => None,
            };
            return Ok(Visitor {
                identity: visitor_identity(token, &record, expires_at)?,
                record,
                resume: fresh,
                is_new: false,
            });
        }
        let resume = credential::mint(Kind::ResumeToken, &*self.random)?;
        let record = VisitorRecord {
            id: credential::public_id("vis_", now, &*self.random)?,
            public_token_id: token.id.clone(),
            resume_digest: credential::digest(resume.expose_secret()),
            resume_since: now,
            earlier: None,
            created_at: now,
            last_seen_at: now,
        };
        self.store.insert_visitor(&record).await?;
        Ok(Visitor {
            identity: visitor_identity(token, &record, expires_at)?,
            record,
            resume: Some(resume),
            is_new: true,
        })
    }

    /// The resume token that takes the place of the one that was shown, when that is due or done.
    async fn renew_resume(
        &self,
        visitor: &VisitorRecord,
        shown: &str,
        now: UnixTime,
    ) -> Result<Option<SecretString>, Error> {
        let digest = credential::digest(shown);
        if let Some(earlier) = &visitor.earlier
            && earlier.digest == digest
        {
            return Ok(Some(replacement(shown, &earlier.nonce)));
        }
        if now.since(visitor.resume_since) < RESUME_REPLACED_AFTER {
            if matches!(&visitor.earlier, Some(earlier) if earlier.until.is_none()) {
                let until = now.plus(OVERLAP);
                self.store.end_earlier_resume(&digest, until).await?;
            }
            return Ok(None);
        }
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce)?;
        let next = credential::digest(replacement(shown, &nonce).expose_secret());
        self.store
            .replace_resume(&digest, &nonce, &next, now)
            .await?;
        // Another request may have been faster, and then its replacement is the one that counts.
        let found = self.store.find_visitor(&digest).await?;
        Ok(found
            .and_then(|visitor| visitor.earlier)
            .filter(|earlier| earlier.digest == digest)
            .map(|earlier| replacement(shown, &earlier.nonce)))
    }

    /// Whether this resume token would bring back a known visitor; new ones count against stricter
    /// quotas.
    pub async fn returning(
        &self,
        token: &PublicTokenRecord,
        resume: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<VisitorRecord>, Error> {
        let Some(resume) =
            resume.filter(|text| credential::classify(text) == Ok(Kind::ResumeToken))
        else {
            return Ok(None);
        };
        let digest = credential::digest(resume);
        let found = self.store.find_visitor(&digest).await?;
        Ok(found.filter(|record| {
            let has_ended = |earlier: &EarlierResume| {
                earlier.digest == digest && earlier.until.is_some_and(|until| now >= until)
            };
            record.public_token_id == token.id && !record.earlier.as_ref().is_some_and(has_ended)
        }))
    }

    /// All tokens, newest first.
    pub async fn list(&self) -> Result<Vec<PublicTokenRecord>, Error> {
        Ok(self.store.list_public_tokens().await?)
    }

    /// Revokes a token and ends its visitors' sessions at once. Whether it was live.
    pub async fn revoke(&self, id: &str, now: UnixTime) -> Result<bool, Error> {
        Ok(self.store.revoke_public_token(id, now).await?)
    }
}

/// Who a known visitor is, for a credential that ends at `expires_at`.
pub fn visitor_identity(
    token: &PublicTokenRecord,
    record: &VisitorRecord,
    expires_at: UnixTime,
) -> Result<Identity, Error> {
    let issuer = format!("visitor:{}", token.id);
    Identity::new(
        issuer,
        record.id.clone(),
        Arc::default(),
        token.environment,
        expires_at,
    )
    .map_err(|error| Error::Internal(Box::new(error)))
}

/// The resume token that takes the place of `shown`.
fn replacement(shown: &str, nonce: &[u8; 32]) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, shown.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(b"vestibule visitor rotation\0");
    context.update(nonce);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.sign().as_ref());
    credential::resume_token(&bytes)
}

pub(crate) fn check_label(label: &str) -> Result<(), Error> {
    if label.len() > MAX_LABEL_BYTES || label.chars().any(char::is_control) {
        return Err(Error::Unusable(format!(
            "a label has {MAX_LABEL_BYTES} bytes at most, on one line"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
