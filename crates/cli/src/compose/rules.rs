//! `[[rule]]`: from the configuration to what logins' claims decide.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use auth::{
    Issuers,
    rule::{Condition, EntryRule, EntryRules, Outcome, Terms, Test},
};

use crate::config::{RawClaim, RawCondition, RawConfig, RawRule, SecretIssuer};

/// Checks the rules. The workflows and issuers that they name must be there: a rule for an issuer
/// with a typo in its name would never speak, and its `deny` would let everybody in.
pub(crate) fn build(config: &RawConfig, issuers: &Issuers) -> anyhow::Result<EntryRules> {
    let workflows: BTreeSet<&str> = config.workflows.iter().map(|raw| raw.id.as_str()).collect();
    let mut rules = Vec::new();
    for (index, raw) in config.rule.iter().enumerate() {
        let number = index + 1;
        let rule =
            one(raw, number).with_context(|| format!("failed to use [[rule]] number {number}"))?;
        if let Some(workflow) = &raw.workflow {
            ensure!(
                workflows.contains(workflow.as_str()),
                "[[rule]] number {number}: no [[workflows]] has the id `{workflow}`"
            );
        }
        ensure!(
            raw.workflow.is_none() || config.doors.client_secret.issuer == SecretIssuer::Vestibule,
            "[[rule]] number {number}: `workflow` means nothing while doors.client_secret.issuer is \
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

fn one(raw: &RawRule, number: usize) -> anyhow::Result<EntryRule> {
    let terms = Terms {
        workflow: raw.workflow.clone(),
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
