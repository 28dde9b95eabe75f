//! Which workflows somebody reaches: decided here, for every door.
//!
//! A workflow is closed until somebody opens it. People reach the default workflow, those that are open
//! to all, and those that a rule adds; a rule that pins a workflow leaves them that one alone. A public
//! token gives its visitors one workflow, and a server key gives its sessions those of its project.
//!
//! Whether a workflow exists is not known here. A closed one and a missing one have to look the same
//! from outside, so callers answer both with the same error.

use std::collections::{BTreeMap, BTreeSet};

use crate::{identity::PROJECT_MARK, rule::Terms};

/// What the configuration opens, and to whom.
#[derive(Debug, Clone)]
pub struct WorkflowAccess {
    default: String,
    open: BTreeSet<String>,
    projects: BTreeMap<String, BTreeSet<String>>,
}

/// What somebody holds who asks for a workflow.
#[derive(Debug, Clone, Copy)]
pub enum Pass<'a> {
    /// A login, and the terms that the rules let it in on.
    Login(&'a Terms),
    /// A public token that names this workflow, or none.
    PublicToken(Option<&'a str>),
    /// A server key whose users have this issuer (see [`issuer_of`](crate::server_key::issuer_of)).
    ServerKey(&'a str),
}

/// Why a workflow is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A rule pins it.
    Pinned,
    /// A rule adds it.
    Added,
    /// It is the default workflow.
    Default,
    /// It is open to all who sign in.
    Open,
    /// The public token gives it.
    PublicToken,
    /// The server key's project lists it.
    Listed,
    /// The server key's project lists none, and so reaches all.
    Unlisted,
}

impl WorkflowAccess {
    /// The default workflow, and those that are `open = true`.
    pub fn new(default: impl Into<String>, open: impl IntoIterator<Item = String>) -> Self {
        Self {
            default: default.into(),
            open: open.into_iter().collect(),
            projects: BTreeMap::new(),
        }
    }

    /// The same, with the workflows that a project of server keys is bound to.
    #[must_use]
    pub fn with_project(
        mut self,
        project: impl Into<String>,
        workflows: impl IntoIterator<Item = String>,
    ) -> Self {
        let listed = self.projects.entry(project.into()).or_default();
        listed.extend(workflows);
        self
    }

    /// Whether a pass opens a workflow, and why. This is the only place that knows.
    pub fn reach(&self, pass: Pass<'_>, workflow: &str) -> Option<Reach> {
        match pass {
            Pass::Login(Terms {
                workflow: Some(pinned),
                ..
            }) => (pinned == workflow).then_some(Reach::Pinned),
            Pass::Login(terms) => {
                let is_added = terms.workflows.iter().any(|added| added == workflow);
                [
                    (workflow == self.default, Reach::Default),
                    (self.open.contains(workflow), Reach::Open),
                    (is_added, Reach::Added),
                ]
                .into_iter()
                .find_map(|(is_so, reach)| is_so.then_some(reach))
            }
            Pass::PublicToken(Some(given)) => (given == workflow).then_some(Reach::PublicToken),
            Pass::PublicToken(None) => (workflow == self.default).then_some(Reach::Default),
            Pass::ServerKey(issuer) => match self.projects.get(project_of(issuer)) {
                Some(listed) => listed.contains(workflow).then_some(Reach::Listed),
                None => Some(Reach::Unlisted),
            },
        }
    }

    /// The workflow for somebody who asks for this one, or for none in particular. `None` when it is
    /// not theirs.
    pub fn choose<'a>(&'a self, pass: Pass<'a>, asked: Option<&'a str>) -> Option<&'a str> {
        let workflow = asked.unwrap_or(match pass {
            Pass::Login(terms) => terms.workflow.as_deref().unwrap_or(&self.default),
            Pass::PublicToken(given) => given.unwrap_or(&self.default),
            Pass::ServerKey(_) => &self.default,
        });
        self.reach(pass, workflow).map(|_reach| workflow)
    }

    /// Every workflow that a login reaches, with the reason.
    pub fn of_login<'a>(&'a self, terms: &'a Terms) -> Vec<(&'a str, Reach)> {
        let mut candidates = vec![self.default.as_str()];
        candidates.extend(self.open.iter().map(String::as_str));
        candidates.extend(terms.workflows.iter().map(String::as_str));
        candidates.extend(terms.workflow.as_deref());
        let mut reached: Vec<(&str, Reach)> = Vec::new();
        for workflow in candidates {
            if let Some(reach) = self.reach(Pass::Login(terms), workflow)
                && !reached.iter().any(|(known, _)| *known == workflow)
            {
                reached.push((workflow, reach));
            }
        }
        reached
    }
}

/// The project's name in the issuer of its users. Keys of the test environment belong to the same
/// project, although their users are others.
fn project_of(issuer: &str) -> &str {
    let project = issuer.strip_prefix(PROJECT_MARK).unwrap_or(issuer);
    project.strip_suffix(":test").unwrap_or(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> WorkflowAccess {
        WorkflowAccess::new("wf_default", ["wf_open".to_owned()])
            .with_project("shop", ["wf_shop".to_owned()])
            .with_project("closed", [])
    }

    const WORKFLOWS: [&str; 6] = [
        "wf_default",
        "wf_open",
        "wf_added",
        "wf_pinned",
        "wf_shop",
        "wf_closed",
    ];

    #[test]
    fn a_workflow_is_open_only_where_somebody_opened_it() {
        let access = access();
        let usual = Terms::default();
        let added = Terms {
            workflows: vec!["wf_added".to_owned()],
            ..Terms::default()
        };
        let pinned = Terms {
            workflow: Some("wf_pinned".to_owned()),
            ..Terms::default()
        };
        for (pass, expected) in [
            (Pass::Login(&usual), &["wf_default", "wf_open"][..]),
            (
                Pass::Login(&added),
                &["wf_default", "wf_open", "wf_added"][..],
            ),
            (Pass::Login(&pinned), &["wf_pinned"][..]),
            (Pass::PublicToken(None), &["wf_default"][..]),
            (Pass::PublicToken(Some("wf_closed")), &["wf_closed"][..]),
            (Pass::ServerKey("key:shop"), &["wf_shop"][..]),
            (Pass::ServerKey("key:shop:test"), &["wf_shop"][..]),
            (Pass::ServerKey("key:closed"), &[][..]),
            (Pass::ServerKey("key:main"), &WORKFLOWS[..]),
        ] {
            let reached: Vec<&str> = WORKFLOWS
                .into_iter()
                .filter(|workflow| access.choose(pass, Some(workflow)).is_some())
                .collect();
            assert_eq!(reached, expected, "{pass:?}");
        }
    }

    #[test]
    fn who_names_no_workflow_gets_their_own() {
        let access = access();
        let pinned = Terms {
            workflow: Some("wf_pinned".to_owned()),
            ..Terms::default()
        };
        for (pass, expected) in [
            (Pass::Login(&Terms::default()), Some("wf_default")),
            (Pass::Login(&pinned), Some("wf_pinned")),
            (Pass::PublicToken(None), Some("wf_default")),
            (Pass::PublicToken(Some("wf_token")), Some("wf_token")),
            (Pass::ServerKey("key:main"), Some("wf_default")),
            (Pass::ServerKey("key:shop"), None),
        ] {
            assert_eq!(access.choose(pass, None), expected, "{pass:?}");
        }
    }

    #[test]
    fn what_a_login_reaches_is_listed_with_the_reason() {
        let access = access();
        let terms = Terms {
            workflows: vec!["wf_open".to_owned(), "wf_added".to_owned()],
            ..Terms::default()
        };
        assert_eq!(
            access.of_login(&terms),
            [
                ("wf_default", Reach::Default),
                ("wf_open", Reach::Open),
                ("wf_added", Reach::Added),
            ]
        );
        let terms = Terms {
            workflow: Some("wf_pinned".to_owned()),
            ..Terms::default()
        };
        assert_eq!(access.of_login(&terms), [("wf_pinned", Reach::Pinned)]);
    }
}
