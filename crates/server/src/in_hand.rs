//! Which credential a refused page has in hand, so that the refusal gives advice that fits it.
//!
//! What cannot be verified says nothing: a made-up token must not find out what is configured.

use std::borrow::Cow;

use auth::{
    Environment, InHand,
    bearer::{BearerError, bearer},
    credential::{Kind, classify, digest},
    ports::{ChatSessionRecord, OpenedBy},
};
use http::{HeaderMap, header};

use crate::{
    app::App,
    caller::{Caller, Entry, texts},
};

/// What an admitted caller came with.
pub(crate) fn of(caller: &Caller) -> InHand {
    let identity = caller.identity();
    match caller.entry() {
        Entry::UserToken | Entry::SessionCookie => of_login(identity),
        Entry::ClientSecret(session) => of_session(&session.record, identity),
        Entry::Visitor(token) => InHand::from(&**token),
    }
}

/// What a request brings whose page was refused before its credential was looked at.
pub(crate) async fn find(app: &App, path: Option<&str>, headers: &HeaderMap) -> InHand {
    let unknown = InHand::Nothing(app.settings.environment);
    let authorization = texts(headers, &header::AUTHORIZATION);
    let token = match bearer(&authorization) {
        Ok(Some(token)) => token,
        Ok(None) | Err(BearerError::OtherScheme) if headers.contains_key(header::COOKIE) => {
            return by_cookie(app, &texts(headers, &header::COOKIE));
        }
        // A preflight shows no credential, but only one kind can follow it here.
        Ok(None) if path == Some("/api/chatkit/visitor") => {
            return some_public_token(app, &texts(headers, &header::ORIGIN)).await;
        }
        Ok(None) | Err(_) => return unknown,
    };
    let now = app.now();
    match classify(token) {
        Ok(Kind::Jwt) => match app.issuers.authenticate(token, now).await {
            Ok(identity) => of_login(&identity),
            Err(_) => unknown,
        },
        Ok(Kind::ClientSecret) => match app.client_secrets.authenticate(token, now.wall).await {
            Ok(session) => of_session(&session.record, &session.identity),
            Err(_) => unknown,
        },
        Ok(Kind::PublicToken(environment)) => {
            match app.credentials.find_public_token(&digest(token)).await {
                Ok(Some(record)) => InHand::from(&record),
                Ok(None) | Err(_) => InHand::PublicToken {
                    environment,
                    workflow: None,
                },
            }
        }
        Ok(Kind::DomainKey(environment)) => InHand::DomainKey(environment),
        Ok(Kind::ServerKey | Kind::ResumeToken) | Err(_) => unknown,
    }
}

/// What a session cookie says by its name; nobody is asked.
pub(crate) fn by_cookie(app: &App, cookies: &[Cow<'_, str>]) -> InHand {
    match app.logins.issuer_of(cookies) {
        Some((issuer, environment)) => InHand::Login {
            issuer: issuer.to_owned(),
            environment,
        },
        None => InHand::Nothing(app.settings.environment),
    }
}

/// What somebody holds who signed in.
pub(crate) fn of_login(identity: &auth::Identity) -> InHand {
    InHand::Login {
        issuer: identity.issuer().to_owned(),
        environment: identity.environment(),
    }
}

fn of_session(session: &ChatSessionRecord, identity: &auth::Identity) -> InHand {
    match session.opened_by {
        OpenedBy::User => of_login(identity),
        OpenedBy::PublicToken(_) => InHand::PublicToken {
            environment: identity.environment(),
            workflow: Some(session.workflow.clone()),
        },
        OpenedBy::ServerKey(_) => InHand::ServerKey(identity.environment()),
    }
}

/// A public token, of the environment that all of this server's are of. Where there are both, a page
/// over plain http has one of test, since no such page can be live; others have one of live.
async fn some_public_token(app: &App, origins: &[Cow<'_, str>]) -> InHand {
    let tokens = app.public_tokens.list().await.unwrap_or_default();
    let are_of = |environment| {
        tokens
            .iter()
            .any(|token| token.revoked_at.is_none() && token.environment == environment)
    };
    let is_plain = origins.iter().any(|origin| origin.starts_with("http:"));
    let environment = match (are_of(Environment::Live), are_of(Environment::Test)) {
        (false, false) => app.settings.environment,
        (true, true) if is_plain => Environment::Test,
        (true, _) => Environment::Live,
        (false, true) => Environment::Test,
    };
    InHand::PublicToken {
        environment,
        workflow: None,
    }
}
