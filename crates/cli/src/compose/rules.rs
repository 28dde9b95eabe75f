//! `[[rule]]` and `[[projects]]`: from the configuration to what logins' claims decide, and to who
//! reaches which workflow.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use auth::{
    Issuers, WorkflowAccess,
    rule::{Condition, EntryRule, EntryRules, Outcome, Terms, Test},
};

use crate::{
    compose::models::DEFAULT_WORKFLOW,
    config::{RawClaim, RawCondition, RawConfig, RawRule, RawWorkflow, SecretIssuer},
};

/// Checks the rules. The workflows and issuers that they name must be there: a rule for an issuer
/// with a typo in its name would never speak, and its `deny` would let everybody in.
pub(crate) fn build(config: &RawConfig, issuers: &Issuers) -> anyhow::Result<EntryRules> {
    let mut rules = Vec::new();
    for (index, raw) in config.rule.iter().enumerate() {
        let number = index + 1;
        let rule =
            one(raw, number).with_context(|| format!("failed to use [[rule]] number {number}"))?;
        for workflow in raw.workflow.iter().chain(&raw.workflows) {
            check_workflow(config, workflow)
                .with_context(|| format!("failed to use [[rule]] number {number}"))?;
        }
        ensure!(
            raw.workflow.is_none() || raw.workflows.is_empty(),
            "[[rule]] number {number}: `workflow` leaves those people no other one, so `workflows` \
             beside it means nothing; list all of them in `workflows`, or keep `workflow`"
        );
        ensure!(
            (raw.workflow.is_none() && raw.workflows.is_empty())
                || config.doors.client_secret.issuer == SecretIssuer::Vestibule,
            "[[rule]] number {number}: `workflow` and `workflows` mean nothing while doors.client_secret.issuer is \
             \"openai\": there is one workflow, at OpenAI"
        );
        if let Some(name) = &raw.issuer
            && !issuers.names().any(|known| known == name)
        {
            let mut known: Vec<_> = issuers.names().collect();
            known.sort_unstable();
            bail!(
                "[[rule]] number {number}: no issuer is configured as `{name}`; there are: {}",
                known.join(", ")
            );
        }
        rules.push(rule);
    }
    Ok(EntryRules::new(rules))
}

/// Who reaches which workflow. Everything that is named must be there.
pub(crate) fn access(config: &RawConfig) -> anyhow::Result<WorkflowAccess> {
    let default = config
        .workflows
        .first()
        .map_or(DEFAULT_WORKFLOW, |raw| raw.id.as_str());
    let mut open = BTreeMap::new();
    for raw in &config.workflows {
        ensure!(
            *open.entry(raw.id.as_str()).or_insert(raw.open) == raw.open,
            "[[workflows]] `{}`: its versions must say the same about `open`",
            raw.id
        );
    }
    let is_open = |raw: &&RawWorkflow| raw.open;
    let opened = config.workflows.iter().filter(is_open);
    let mut access = WorkflowAccess::new(default, opened.map(|raw| raw.id.clone()));
    let mut names = BTreeSet::new();
    for project in &config.projects {
        let name = project.name.as_str();
        ensure!(!name.is_empty(), "each of [[projects]] needs a `name`");
        ensure!(
            names.insert(name),
            "[[projects]] `{name}` is there twice; put all its workflows into one"
        );
        ensure!(
            !project.workflows.is_empty(),
            "[[projects]] `{name}` lists no workflow in `workflows`, so its keys could open no session; \
             leave the table out to let them reach all"
        );
        for id in &project.workflows {
            check_workflow(config, id).with_context(|| format!("[[projects]] `{name}`"))?;
        }
        access = access.with_project(name, project.workflows.iter().cloned());
    }
    Ok(access)
}

/// Refuses the id of a workflow that is not configured.
pub(crate) fn check_workflow(config: &RawConfig, id: &str) -> anyhow::Result<()> {
    let mut known: Vec<&str> = config.workflows.iter().map(|raw| raw.id.as_str()).collect();
    if known.is_empty() {
        known.push(DEFAULT_WORKFLOW);
    }
    known.dedup();
    ensure!(
        known.contains(&id),
        "no [[workflows]] has the id `{id}`; there are: {}",
        known.join(", ")
    );
    Ok(())
}

fn one(raw: &RawRule, number: usize) -> anyhow::Result<EntryRule> {
    let terms = Terms {
        workflow: raw.workflow.clone(),
        workflows: raw.workflows.clone(),
        turns_per_minute: raw.turns_per_minute,
        turns_at_once: raw.turns_at_once,
    };
    let outcome = match &raw.deny {
        Some(_) if terms != Terms::default() => {
            bail!("`deny` keeps people out, so no other terms can stand beside it")
        }
        Some(sentence) => {
            ensure!(
                !sentence.trim().is_empty(),
                "`deny` is the sentence that people read; say why they may not enter and what to do"
            );
            Outcome::Deny(sentence.clone())
        }
        // Nothing said: they may enter as everybody does, and no later rule speaks about them.
        None => Outcome::Enter(terms),
    };
    Ok(EntryRule {
        name: raw
            .name
            .clone()
            .unwrap_or_else(|| format!("number {number}")),
        issuer: raw.issuer.clone(),
        conditions: raw
            .when
            .iter()
            .map(condition)
            .collect::<anyhow::Result<_>>()?,
        outcome,
    })
}

fn condition(raw: &RawCondition) -> anyhow::Result<Condition> {
    let path = match &raw.claim {
        RawClaim::Name(name) => vec![name.clone()],
        RawClaim::Path(path) => path.clone(),
    };
    ensure!(
        !path.is_empty() && !path.contains(&String::new()),
        "a condition needs `claim`, the name of the claim that it looks at"
    );
    let tests = [
        raw.equals.clone().map(|value| Test::OneOf(vec![value])),
        raw.one_of.clone().map(Test::OneOf),
        raw.contains.clone().map(Test::Contains),
        raw.present.map(Test::Present),
    ];
    let mut tests = tests.into_iter().flatten();
    let (Some(test), None) = (tests.next(), tests.next()) else {
        bail!("a condition needs exactly one of `equals`, `one_of`, `contains` and `present`");
    };
    Ok(Condition { path, test })
}

#[cfg(test)]
mod tests {
    use auth::{access::Pass, rule::Terms};

    use super::EntryRules;
    use crate::{
        compose::{issuer_rules, issuers_of},
        config::{Variables, parse},
    };

    /// As the server would, with the issuers of the same file.
    fn build(text: &str) -> anyhow::Result<EntryRules> {
        let config = parse(text)?;
        let issuers = issuer_rules(&config.issuers, &Variables::default())?;
        super::build(&config, &issuers_of(issuers, &config)?)
    }

    const WORKFLOW: &str = "[[workflows]]\nid = \"wf_staff\"\n";

    #[test]
    fn the_default_and_the_open_workflows_and_those_of_projects_are_reached() {
        let access = |text: &str| super::access(&parse(text).unwrap());
        let shop = Pass::ServerKey("key:shop");
        let usual = Terms::default();
        let login = Pass::Login(&usual);
        let built = access(
            "[[workflows]]\nid = \"wf_first\"\n[[workflows]]\nid = \"wf_open\"\nopen = true\n\
             [[workflows]]\nid = \"wf_staff\"\n\
             [[projects]]\nname = \"shop\"\nworkflows = [\"wf_staff\"]",
        )
        .unwrap();
        for (pass, workflow, expected) in [
            (login, "wf_first", true),
            (login, "wf_open", true),
            (login, "wf_staff", false),
            (shop, "wf_staff", true),
            (shop, "wf_first", false),
            (Pass::ServerKey("key:other"), "wf_first", true),
        ] {
            let is_reached = built.reach(pass, workflow).is_some();
            assert_eq!(is_reached, expected, "{pass:?} {workflow}");
        }
        let nothing = access("").unwrap();
        assert_eq!(nothing.choose(login, None), Some("wf_demo"));
        for (text, expected) in [
            ("[[projects]]\nname = \"a\"\nworkflows = [\"wf_x\"]", "wf_x"),
            ("[[projects]]\nname = \"a\"", "lists no workflow"),
            ("[[projects]]\nworkflows = [\"wf_demo\"]", "needs a `name`"),
            (
                "[[projects]]\nname = \"a\"\nworkflows = [\"wf_demo\"]\n\
                 [[projects]]\nname = \"a\"\nworkflows = [\"wf_demo\"]",
                "twice",
            ),
            (
                "[[workflows]]\nid = \"wf_a\"\nopen = true\n[[workflows]]\nid = \"wf_a\"\nversion = \"2\"",
                "must say the same",
            ),
        ] {
            let message = format!("{:#}", access(text).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn mistakes_in_rules_are_told_in_words() {
        for (text, expected) in [
            ("when = [{ claim = \"a\" }]", "exactly one of"),
            (
                "when = [{ claim = \"a\", equals = 1, present = true }]",
                "exactly one of",
            ),
            ("when = [{ equals = 1 }]", "needs `claim`"),
            ("when = [{ claim = [], equals = 1 }]", "needs `claim`"),
            ("deny = \" \"", "sentence"),
            ("deny = \"no\"\nworkflow = \"wf_staff\"", "no other terms"),
            ("workflow = \"wf_other\"", "wf_other"),
            ("workflows = [\"wf_staff\", \"wf_other\"]", "wf_other"),
            (
                "workflow = \"wf_staff\"\nworkflows = [\"wf_staff\"]",
                "list all of them",
            ),
            (
                "deny = \"no\"\nworkflows = [\"wf_staff\"]",
                "no other terms",
            ),
            (
                "workflows = [\"wf_staff\"]\n[doors.client_secret]\nissuer = \"openai\"",
                "at OpenAI",
            ),
            (
                "issuer = \"https://a.example/\"",
                "no issuer is configured as",
            ),
            (
                "workflow = \"wf_staff\"\n[doors.client_secret]\nissuer = \"openai\"",
                "at OpenAI",
            ),
        ] {
            let message = format!(
                "{:#}",
                build(&format!("{WORKFLOW}[[rule]]\n{text}")).unwrap_err()
            );
            assert!(
                message.contains(expected) && message.contains("number 1"),
                "{message}"
            );
        }
        let text = "[[issuers]]\npreset = \"better-auth\"\nurl = \"https://a.example\"\n\
                    [[rule]]\nissuer = \"https://a.example\"\nworkflow = \"wf_staff\"\nturns_per_minute = 5\n\
                    when = [{ claim = [\"realm_access\", \"roles\"], contains = \"staff\" }, { claim = \"level\", one_of = [1, 2] }]";
        build(&format!("{WORKFLOW}{text}")).unwrap();
    }
}
