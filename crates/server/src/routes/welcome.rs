//! `GET /` where the demo page is off: what this address is, for whoever opens it in a browser.
//!
//! Anybody may read what it is. What is configured, and what to do next, is for the operator, whom the page
//! knows by the machine that they sit at. Programs get the same as JSON.

use std::{fmt::Write as _, net::SocketAddr};

use auth::Environment;
use axum::{
    Json,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Version, header};
use serde::Serialize;

use crate::{
    app::{App, AppState},
    client_ip::is_on_this_machine,
    error::ApiError,
};

const SUMMARY: &str =
    "This is Vestibule, a chat backend. Pages talk to this address; there is nothing to read here.";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}\
code{font-size:.9em;display:block;padding:.6rem .8rem;border:1px solid;border-radius:.4rem;overflow-x:auto}\
td,th{text-align:left;padding:.2rem 1.5rem .2rem 0;vertical-align:top}";

/// No script, and no style but ours, by its hash.
const POLICY: &str = "default-src 'none'; style-src 'sha256-AN/rZrM/x9uHxEpZHwBnTUvPus45J9h/TmZrNNHrZY0='; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What there is to say.
#[derive(Serialize)]
struct Welcome {
    name: &'static str,
    message: &'static str,
    /// Where the element is.
    element: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<ForOperator>,
}

#[derive(Serialize)]
struct ForOperator {
    configured: Vec<Fact>,
    next: Vec<Step>,
}

#[derive(Serialize)]
struct Fact {
    what: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Step {
    what: &'static str,
    /// A command, or a line for a file.
    write: String,
}

/// `GET /`
pub(crate) async fn index(
    State(app): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    version: Version,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let operator = if is_on_this_machine(peer.ip(), version, &headers) {
        Some(for_operator(&app).await?)
    } else {
        None
    };
    let welcome = Welcome {
        name: "vestibule",
        message: SUMMARY,
        element: "/chatkit.js",
        operator,
    };
    let vary = [(header::VARY, "Accept")];
    if !wants_html(&headers) {
        return Ok((vary, Json(welcome)).into_response());
    }
    let policy: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((vary, policy, html(&welcome)).into_response())
}

/// Browsers name HTML; programs do not, or take anything.
fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

async fn for_operator(app: &App) -> Result<ForOperator, ApiError> {
    let issuers: Vec<&str> = app.issuers.names().collect();
    let domains = app.domains.list().await?;
    let tokens = app.public_tokens.list().await?;
    let keys = app.server_keys.list().await?;
    let working_tokens = tokens.iter().filter(|token| token.revoked_at.is_none());
    let working_keys = keys.iter().filter(|key| key.revoked_at.is_none());
    let (tokens, keys) = (working_tokens.count(), working_keys.count());

    let can_sign_in = !issuers.is_empty();
    let [first, second, third] = app.settings.doors.states(can_sign_in, tokens > 0);
    let fact = |what, value: String| Fact { what, value };
    let configured = vec![
        fact("door 1, client secret", first.to_owned()),
        fact("door 2, public token", second.to_owned()),
        fact("door 3, custom endpoint", third.to_owned()),
        fact("hosted API", format!("{keys} server keys")),
        fact(
            "logins",
            if can_sign_in {
                issuers.join(", ")
            } else {
                "none".to_owned()
            },
        ),
        fact(
            "pages that may embed the chat",
            match domains.len() {
                0 => "none but pages on this machine, for the test environment".to_owned(),
                count => format!("{count} registered (vestibule domain list)"),
            },
        ),
    ];

    let mut next = Vec::new();
    let mut step = |what, write: String| next.push(Step { what, write });
    if !can_sign_in && tokens == 0 && keys == 0 {
        step(
            "Nobody can come in yet. Let in the users of your login server",
            "BETTER_AUTH_URL=https://app.example.com vestibule serve".to_owned(),
        );
        step(
            "or anybody, without a login",
            "vestibule token create --origin https://www.example.com".to_owned(),
        );
        step(
            "or the users of a server of yours",
            "vestibule key create --label \"my backend\"".to_owned(),
        );
    } else if domains.is_empty() && app.settings.environment == Environment::Live {
        step(
            "Say which pages may embed the chat",
            "vestibule domain add https://app.example.com --env live".to_owned(),
        );
    }
    let own = app.domains.own().first().map_or("", auth::Origin::as_str);
    step(
        "Load the element in your page",
        format!("<script src=\"{own}/chatkit.js\" async></script>"),
    );
    step(
        "See all doors at work, with two users who sign in by a click",
        "vestibule serve --dev".to_owned(),
    );
    step("Ask what is missing", "vestibule doctor".to_owned());
    Ok(ForOperator { configured, next })
}

fn html(welcome: &Welcome) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Vestibule</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>{STYLE}</style></head><body><h1>Vestibule</h1><p>{}</p>",
        escaped(welcome.message)
    );
    // Writing to a String cannot fail.
    if let Some(operator) = &welcome.operator {
        page.push_str("<p>You are at the server's own machine, so here is more.</p><h2>What is configured</h2><table>");
        for Fact { what, value } in &operator.configured {
            let _ = write!(
                page,
                "<tr><th>{}</th><td>{}</td></tr>",
                escaped(what),
                escaped(value)
            );
        }
        page.push_str("</table><h2>What to do next</h2>");
        for Step { what, write } in &operator.next {
            let _ = write!(
                page,
                "<p>{}:</p><code>{}</code>",
                escaped(what),
                escaped(write)
            );
        }
    }
    page.push_str("</body></html>\n");
    page
}

/// Text that is nothing but text in HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn the_policy_names_the_style_that_is_there() {
        let hash = STANDARD.encode(auth::credential::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    }

    #[test]
    fn what_is_configured_cannot_write_html() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
