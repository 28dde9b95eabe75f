//! Why a token is or is not accepted, step by step, for `jwt check`.
//!
//! The steps are the checks of [`Issuers::authenticate`], by the same functions; here they go on
//! after a failure where that makes sense, so that one run shows everything that has to be mended.

use serde::Serialize;

use crate::{
    access::{Reach, WorkflowAccess},
    claims::check_use,
    error::Error,
    foreign::maker_of,
    identity::Identity,
    introspection::is_opaque,
    issuer::{CheckedIssuer, Issuers, parse_claims},
    jwk::KeySource,
    jwks::{KeySet, NoKey},
    jws::{Algorithm, CompactJws, Header},
    rejection::{Reason, Rejection, quote},
    rule::{EntryRules, Outcome, Terms},
    time::Now,
};

/// One check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was checked.
    pub name: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// What was found, or what is wrong and what to do.
    pub detail: String,
}

/// How all checks went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether the token is accepted.
    pub ok: bool,
    /// The code of the first check that failed; `accepted` when none did.
    pub reason: String,
    /// The checks, in their order.
    pub steps: Vec<Step>,
}

impl Explanation {
    fn new() -> Self {
        Self {
            ok: true,
            reason: "accepted".to_owned(),
            steps: Vec::new(),
        }
    }

    fn pass(&mut self, name: &'static str, detail: impl Into<String>) {
        self.steps.push(Step {
            name,
            ok: true,
            detail: detail.into(),
        });
    }

    fn fail(&mut self, name: &'static str, code: &str, detail: impl Into<String>) {
        if self.ok {
            self.ok = false;
            code.clone_into(&mut self.reason);
        }
        self.steps.push(Step {
            name,
            ok: false,
            detail: detail.into(),
        });
    }

    fn note<T>(
        &mut self,
        name: &'static str,
        outcome: Result<T, Rejection>,
        detail: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.pass(name, detail(&value));
                Some(value)
            }
            Err(rejection) => {
                self.fail(name, rejection.reason().code(), rejection.to_string());
                None
            }
        }
    }
}

/// Checks a token as the server would, and tells every step. May ask the issuer for its keys, or
/// about the token when it is opaque.
pub async fn explain(
    issuers: &Issuers,
    rules: &EntryRules,
    access: &WorkflowAccess,
    token: &str,
    now: Now,
) -> Explanation {
    let is_foreign = is_opaque(token) && maker_of(token).is_some();
    let mut told = if is_foreign || issuers.opaque_for(token).is_some() {
        explain_opaque(issuers, token, now).await
    } else {
        explain_jwt(issuers, token, now).await
    };
    // Once everything holds, the very call of the server says who it is.
    if told.ok
        && let Ok(identity) = issuers.authenticate(token, now).await
    {
        explain_rule(&mut told, rules, access, &identity);
    }
    told
}

async fn explain_opaque(issuers: &Issuers, token: &str, now: Now) -> Explanation {
    let mut told = Explanation::new();
    match issuers.authenticate(token, now).await {
        Ok(identity) => told.pass(
            "issuer",
            format!(
                "{} says that the token is active; the user is {}",
                quote(identity.issuer()),
                quote(identity.subject())
            ),
        ),
        Err(Error::Invalid(rejection)) => {
            told.fail("issuer", rejection.reason().code(), rejection.to_string());
        }
        Err(Error::Unavailable { message, .. }) => {
            told.fail("issuer", "issuer_unavailable", message);
        }
        Err(other) => told.fail("issuer", "internal", other.to_string()),
    }
    told
}

fn explain_rule(
    told: &mut Explanation,
    rules: &EntryRules,
    access: &WorkflowAccess,
    identity: &Identity,
) {
    let Some(rule) = rules.find(identity) else {
        told.pass("rule", "none speaks; the usual terms hold");
        explain_workflows(told, access, &Terms::default(), None);
        return;
    };
    let name = quote(&rule.name);
    match &rule.outcome {
        Outcome::Deny(sentence) => {
            told.fail(
                "rule",
                "entry_denied",
                format!("{name} refuses entry: {sentence}"),
            );
        }
        Outcome::Enter(terms) => {
            let said =
                |what: &str, value: Option<String>| value.map(|value| format!("{what} {value}"));
            let said = [
                said("workflow", terms.workflow.clone()),
                said(
                    "adds",
                    (!terms.workflows.is_empty()).then(|| terms.workflows.join(" and ")),
                ),
                said(
                    "turns per minute",
                    terms.turns_per_minute.map(|count| count.to_string()),
                ),
                said(
                    "turns at once",
                    terms.turns_at_once.map(|count| count.to_string()),
                ),
            ];
            let said: Vec<String> = said.into_iter().flatten().collect();
            let said = if said.is_empty() {
                "the usual terms".to_owned()
            } else {
                said.join(", ")
            };
            told.pass("rule", format!("{name} speaks: {said}"));
            explain_workflows(told, access, terms, Some(&name));
        }
    }
}

/// Which workflows a login on these terms may open, and who says so.
fn explain_workflows(
    told: &mut Explanation,
    access: &WorkflowAccess,
    terms: &Terms,
    rule: Option<&str>,
) {
    let rule = rule.map_or_else(|| "a rule".to_owned(), |name| format!("rule {name}"));
    let reached: Vec<String> = access
        .of_login(terms)
        .into_iter()
        .map(|(workflow, reach)| {
            let why = match reach {
                Reach::Pinned => format!("{rule} pins it, and leaves no other"),
                Reach::Added => format!("{rule} adds it"),
                Reach::Default => "the default".to_owned(),
                Reach::Open => "open to everybody who signs in".to_owned(),
                Reach::PublicToken => "given by the public token".to_owned(),
                Reach::Listed | Reach::Unlisted => "given by the server key's project".to_owned(),
            };
            format!("{workflow} ({why})")
        })
        .collect();
    told.pass("workflows", reached.join(", "));
}

async fn explain_jwt(issuers: &Issuers, token: &str, now: Now) -> Explanation {
    let mut told = Explanation::new();
    let parsed = CompactJws::parse(token).map_err(Rejection::from);
    let Some(jws) = told.note("format", parsed, |jws| describe_header(jws.header())) else {
        return told;
    };
    let claims = parse_claims(jws.payload()).map_err(Rejection::from);
    let Some(claims) = told.note("claims", claims, |claims| {
        format!("{} claims", claims.len())
    }) else {
        return told;
    };
    let chosen = issuers.choose(&claims);
    let Some(issuer) = told.note("iss", chosen, |issuer| quote(&issuer.rules.issuer)) else {
        return told;
    };
    let header = jws.header();
    let allowed = names(&issuer.rules.algorithms);
    let is_allowed = issuer.rules.algorithms.contains(&header.algorithm);
    let algorithm = is_allowed
        .then_some(())
        .ok_or(Reason::AlgorithmNotAllowed.into());
    told.note("alg", algorithm, |()| {
        format!("{} is one of {allowed}", header.algorithm)
    });
    let typ = issuer.rules.typ.check(header.typ.as_deref());
    let typ = typ.and_then(|()| check_use(&claims));
    told.note("typ", typ, |()| {
        header.typ.as_deref().map_or("none".to_owned(), quote)
    });
    explain_claims(&mut told, issuer, header, &claims, now);
    explain_signature(&mut told, issuer, &jws, now).await;
    told
}

fn explain_claims(
    told: &mut Explanation,
    issuer: &CheckedIssuer,
    header: &Header,
    claims: &serde_json::Map<String, serde_json::Value>,
    now: Now,
) {
    let rules = issuer.claim_rules(header);
    let audience = &rules.audience.claim;
    told.note("audience", rules.check_audience(claims), |()| {
        format!("`{audience}` names one that is expected")
    });
    told.note("times", rules.check_times(claims, now.wall), |expires_at| {
        format!("expires in {} s", expires_at.since(now.wall).as_secs())
    });
    if rules.is_access_token {
        told.note("profile", rules.check_profile(claims), |()| {
            "has what an access token must have (RFC 9068)".to_owned()
        });
    }
    for rule in rules.required {
        told.note("claim", rules.check_rule(rule, claims, now.wall), |()| {
            "as configured".to_owned()
        });
    }
    let bearer = if claims.contains_key("cnf") {
        Err(Reason::SenderConstrained.into())
    } else {
        Ok(())
    };
    told.note("bearer", bearer, |()| {
        "not bound to a key of its holder".to_owned()
    });
    told.note("person", rules.check_person(claims), |()| {
        if rules.are_machines_taken {
            "clients may enter, too".to_owned()
        } else {
            "not a client's own token".to_owned()
        }
    });
    told.note("subject", rules.subject(claims), |subject| quote(subject));
}

async fn explain_signature(
    told: &mut Explanation,
    issuer: &CheckedIssuer,
    jws: &CompactJws<'_>,
    now: Now,
) {
    let header = jws.header();
    if !issuer.rules.algorithms.contains(&header.algorithm) {
        return;
    }
    let key = match issuer
        .keys
        .key(header, issuer.rules.is_key_id_required, now)
        .await
    {
        Ok(key) => key,
        Err(problem) => {
            match problem {
                NoKey::Refused(reason) => told.fail("key", reason.code(), reason.sentence()),
                NoKey::Unavailable { message, .. } => told.fail("key", "keys_unavailable", message),
            }
            for skipped in issuer.keys.health(now).skipped {
                let name = skipped
                    .key_id
                    .as_deref()
                    .map_or_else(|| skipped.index.to_string(), quote);
                told.fail(
                    "key",
                    "skipped_key",
                    format!("key {name} of the set is not used: {}", skipped.problem),
                );
            }
            return;
        }
    };
    told.pass(
        "key",
        format!(
            "{} for {}",
            key.id().map_or("the only one".to_owned(), quote),
            key.algorithm()
        ),
    );
    let verified = jws.verify(&key).map_err(Rejection::from);
    told.note("signature", verified, |()| "matches".to_owned());
}

fn describe_header(header: &Header) -> String {
    let key_id = header.key_id.as_deref().map_or("none".to_owned(), quote);
    format!("alg {}, kid {key_id}", header.algorithm)
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The answer of the signature-only check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureCheck {
    /// Whether a key of the set made the signature.
    pub ok: bool,
    /// `verified`, or the code and the sentence of what is wrong.
    pub reason: String,
}

/// Checks nothing but the signature, against a JWK set or a single JWK from the operator; the
/// payload may be anything.
///
/// The key is found as for any token: by `kid`, or, when the token has none, only when exactly one
/// key fits.
pub fn check_signature(token: &str, jwks: &[u8]) -> SignatureCheck {
    match verify_signature(token, jwks) {
        Ok(()) => SignatureCheck {
            ok: true,
            reason: "verified".to_owned(),
        },
        Err(text) => SignatureCheck {
            ok: false,
            reason: text,
        },
    }
}

fn verify_signature(token: &str, jwks: &[u8]) -> Result<(), String> {
    let spell = |reason: Reason| format!("{}: {}", reason.code(), reason.sentence());
    let jws = CompactJws::parse(token).map_err(spell)?;
    // The token's algorithm stands in for a configured one: a key that names another is not used.
    let allowed = [jws.header().algorithm];
    let set = KeySet::parse(jwks, &allowed, KeySource::Configured)
        .map_err(|problem| format!("bad_key_set: {problem}"))?;
    let key = set
        .find(jws.header(), false)
        .map_err(|reason| match set.skipped() {
            [skipped] => format!(
                "{}: {}; {}",
                reason.code(),
                reason.sentence(),
                skipped.problem
            ),
            _ => spell(reason),
        })?;
    jws.verify(key).map_err(spell)
}

#[cfg(test)]
mod tests;
