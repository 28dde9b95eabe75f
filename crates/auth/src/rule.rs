//! `[[rule]]`: what a login's claims decide beyond "who": whether it may enter at all, which workflow
//! answers, and how much it may ask.
//!
//! The first rule that matches speaks, and no other. Without a rule that matches, everybody whom an
//! issuer vouches for may enter, with the usual limits.

use serde_json::Value;

use crate::{error::Refusal, identity::Identity};

/// One rule: who is meant, and what holds for them.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryRule {
    /// What it is called in logs and by `jwt check`.
    pub name: String,
    /// Only logins of this issuer; of any issuer when absent.
    pub issuer: Option<String>,
    /// What must hold of the claims, all of it.
    pub conditions: Vec<Condition>,
    /// What holds for those who are meant.
    pub outcome: Outcome,
}

/// A demand on one claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Where the claim is: its name, then names inside of it.
    pub path: Vec<String>,
    /// What it must be.
    pub test: Test,
}

/// What a claim must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// There and not null, or not there.
    Present(bool),
    /// One of these values.
    OneOf(Vec<Value>),
    /// A list with this value in it, or a text with this word in it (words are apart by spaces, as
    /// in `scope`).
    Contains(Value),
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// They may not enter, with the sentence that they read.
    Deny(String),
    /// They may enter, on these terms.
    Enter(Terms),
}

/// Terms of somebody who may enter; what is absent is as for everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The only workflow that answers them.
    pub workflow: Option<String>,
    /// Workflows that they may choose beside those that are open to all.
    pub workflows: Vec<String>,
    /// Turns in a minute.
    pub turns_per_minute: Option<u32>,
    /// Turns that run at once.
    pub turns_at_once: Option<usize>,
}

/// All rules, in their order.
#[derive(Debug, Clone, Default)]
pub struct EntryRules(Vec<EntryRule>);

impl EntryRules {
    /// Rules in the order of the configuration.
    pub fn new(rules: Vec<EntryRule>) -> Self {
        Self(rules)
    }

    /// The rule that speaks about a login.
    pub fn find(&self, identity: &Identity) -> Option<&EntryRule> {
        self.0.iter().find(|rule| rule.is_about(identity))
    }

    /// The terms of a login, or the refusal.
    pub fn admit(&self, identity: &Identity) -> Result<Terms, Refusal> {
        match self.find(identity).map(|rule| &rule.outcome) {
            None => Ok(Terms::default()),
            Some(Outcome::Enter(terms)) => Ok(terms.clone()),
            Some(Outcome::Deny(sentence)) => Err(Refusal::Denied(sentence.clone())),
        }
    }
}

impl EntryRule {
    fn is_about(&self, identity: &Identity) -> bool {
        let is_issuer = |issuer: &String| issuer == identity.issuer();
        self.issuer.as_ref().is_none_or(is_issuer)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(identity))
    }
}

impl Condition {
    fn holds(&self, identity: &Identity) -> bool {
        let mut names = self.path.iter();
        let first = names.next().and_then(|name| identity.claims().get(name));
        let claim = names
            .try_fold(first, |value, name| Some(value?.as_object()?.get(name)))
            .flatten()
            .filter(|value| !value.is_null());
        match (&self.test, claim) {
            (Test::Present(is_wanted), claim) => claim.is_some() == *is_wanted,
            (Test::OneOf(values), Some(claim)) => values.contains(claim),
            (Test::Contains(value), Some(Value::Array(list))) => list.contains(value),
            (Test::Contains(Value::String(word)), Some(Value::String(text))) => {
                text.split(' ').any(|other| other == word)
            }
            (Test::OneOf(_) | Test::Contains(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{identity::Environment, time::UnixTime};

    fn login(claims: Value) -> Identity {
        let Value::Object(claims) = claims else {
            unreachable!("claims are an object")
        };
        let until = UnixTime::from_seconds(1);
        Identity::new(
            "https://a.example",
            "ada",
            claims.into(),
            Environment::Live,
            until,
        )
        .unwrap()
    }

    fn rule(name: &str, path: &[&str], test: Test, outcome: Outcome) -> EntryRule {
        EntryRule {
            name: name.to_owned(),
            issuer: None,
            conditions: vec![Condition {
                path: path.iter().map(|name| (*name).to_owned()).collect(),
                test,
            }],
            outcome,
        }
    }

    fn enter() -> Outcome {
        Outcome::Enter(Terms::default())
    }

    #[test]
    fn a_condition_looks_at_exactly_one_claim() {
        let login = login(json!({
            "role": "admin", "scope": "chat read", "level": 3, "off": null,
            "realm_access": { "roles": ["staff", 7] }, "a.b": true, "a": { "b": false },
        }));
        for (path, test, expected) in [
            (
                &["role"][..],
                Test::OneOf(vec![json!("user"), json!("admin")]),
                true,
            ),
            (&["role"], Test::OneOf(vec![json!("Admin")]), false),
            (&["role"], Test::Contains(json!("adm")), false),
            (&["role"], Test::Contains(json!("admin")), true),
            (&["scope"], Test::Contains(json!("read")), true),
            (&["scope"], Test::Contains(json!("rea")), false),
            (&["scope"], Test::Contains(json!("chat read")), false),
            (&["level"], Test::OneOf(vec![json!(3)]), true),
            (&["level"], Test::OneOf(vec![json!("3")]), false),
            (&["level"], Test::Contains(json!(3)), false),
            (
                &["realm_access", "roles"],
                Test::Contains(json!("staff")),
                true,
            ),
            (&["realm_access", "roles"], Test::Contains(json!(7)), true),
            (
                &["realm_access", "roles"],
                Test::Contains(json!("7")),
                false,
            ),
            (
                &["realm_access", "roles", "staff"],
                Test::Present(true),
                false,
            ),
            (&["a.b"], Test::OneOf(vec![json!(true)]), true),
            (&["a", "b"], Test::OneOf(vec![json!(false)]), true),
            (&["off"], Test::Present(true), false),
            (&["off"], Test::Present(false), true),
            (&["missing"], Test::Present(false), true),
            (&["missing", "x"], Test::OneOf(vec![json!(null)]), false),
            (&[], Test::Present(true), false),
        ] {
            let rule = rule("r", path, test.clone(), enter());
            assert_eq!(rule.is_about(&login), expected, "{path:?} {test:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_speaks() {
        let deny = Outcome::Deny("ask for a licence".to_owned());
        let staff = Outcome::Enter(Terms {
            workflow: Some("wf_staff".to_owned()),
            ..Terms::default()
        });
        let mut elsewhere = rule("elsewhere", &["role"], Test::Present(true), deny.clone());
        elsewhere.issuer = Some("https://b.example".to_owned());
        let rules = EntryRules::new(vec![
            elsewhere,
            rule("staff", &["role"], Test::OneOf(vec![json!("staff")]), staff),
            rule("rest", &["licence"], Test::Present(false), deny),
        ]);
        let name = |claims| rules.find(&login(claims)).map(|rule| rule.name.as_str());
        assert_eq!(name(json!({ "role": "staff" })), Some("staff"));
        assert_eq!(name(json!({ "role": "user" })), Some("rest"));
        assert_eq!(name(json!({ "role": "user", "licence": 1 })), None);
        let terms = rules.admit(&login(json!({ "role": "staff" }))).unwrap();
        assert_eq!(terms.workflow.as_deref(), Some("wf_staff"));
        assert_eq!(
            rules.admit(&login(json!({}))),
            Err(Refusal::Denied("ask for a licence".to_owned()))
        );
        assert_eq!(
            rules.admit(&login(json!({ "licence": 1 }))),
            Ok(Terms::default())
        );
    }
}
