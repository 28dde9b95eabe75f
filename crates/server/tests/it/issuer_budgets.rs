//! What is asked of issuers goes on the account of the address that makes us ask.

use std::net::Ipv4Addr;

use http::{StatusCode, header};

use crate::harness::{GOOD_COOKIE, Options, TestApp, session_server};

/// A browser at one of this machine's addresses.
struct Browser<'app> {
    app: &'app TestApp,
    client: reqwest::Client,
}

impl<'app> Browser<'app> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that plays the browser, at an address of its choice"
    )]
    fn at(app: &'app TestApp, last: u8) -> Self {
        let client = reqwest::Client::builder()
            .local_address(Some(Ipv4Addr::new(127, 0, 0, last).into()))
            .build()
            .unwrap();
        Self { app, client }
    }

    async fn sends(&self, cookie: &str) -> StatusCode {
        let address = format!("http://{}/api/chatkit/me", self.app.address);
        let request = self.client.get(address).header(header::COOKIE, cookie);
        request.send().await.unwrap().status()
    }
}

#[tokio::test]
async fn r02_an_address_that_guesses_cookies_shuts_nobody_else_out() {
    let app = TestApp::with(Options {
        sessions: Some(session_server().await),
        ..Options::default()
    })
    .await;
    let guesser = Browser::at(&app, 2);
    let mut refused = 0;
    for number in 0..1_000 {
        let guess = format!("better-auth.session_token=guess-{number}");
        match guesser.sends(&guess).await {
            StatusCode::UNAUTHORIZED => refused += 1,
            StatusCode::SERVICE_UNAVAILABLE => break,
            other => panic!("{other}"),
        }
    }
    assert!((60..1_000).contains(&refused), "{refused}");
    let other = Browser::at(&app, 3);
    assert_eq!(other.sends(GOOD_COOKIE).await, StatusCode::OK);
    let wrong = "better-auth.session_token=wrong";
    assert_eq!(other.sends(wrong).await, StatusCode::UNAUTHORIZED);
}
