//! `vestibule doctor`: looks at everything the server needs, and says what to mend.

use std::{fmt::Write, sync::Arc, time::Instant};

use auth::Now;
use engine::{Owner, RequestContext, SessionRules, User, Workflow};
use serde::Serialize;
use serde_json::json;

use crate::{
    commands::workplace::Workplace,
    compose::{self, BuiltModels, now},
};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    ok: bool,
    /// What was found, or what to do.
    detail: String,
}

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
struct Findings(Vec<Finding>);

impl Findings {
    fn note<T>(
        &mut self,
        name: impl Into<String>,
        result: anyhow::Result<T>,
        detail: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let (ok, detail, value) = match result {
            Ok(value) => (true, detail(&value), Some(value)),
            Err(error) => (false, format!("{error:#}"), None),
        };
        self.0.push(Finding {
            name: name.into(),
            ok,
            detail,
        });
        value
    }
}

/// Carries it out. Whether everything is well.
pub(crate) async fn run(workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let mut findings = Findings::default();
    let built = compose::check(&workplace.config, workplace.variables);
    let built = findings.note("configuration", built, |built| built.summary.join("; "));
    look_at_database(&mut findings, workplace).await;
    look_at_issuers(&mut findings, workplace).await;
    if let Some(built) = built {
        look_at_tools(&mut findings, workplace, &built).await;
    }
    let is_well = findings.0.iter().all(|finding| finding.ok);
    let value = json!({"ok": is_well, "findings": findings});
    workplace.output.print(&value, |_| describe(&findings))?;
    Ok(is_well)
}

async fn look_at_database(findings: &mut Findings, workplace: &Workplace<'_>) {
    let url = &workplace.config.storage.url;
    let opened = findings.note("database", workplace.database().await, |_| {
        format!("{url} opens")
    });
    let Some(database) = opened else { return };
    let checked = database.check().await.map_err(Into::into);
    findings.note("database", checked, |()| {
        "can be read and written".to_owned()
    });
    let domains = compose::domains(&database, Vec::new())
        .list()
        .await
        .map_err(Into::into);
    findings.note("domains", domains, |domains| match domains.len() {
        0 => "none registered: only pages on this machine may come; `vestibule domain add ORIGIN --env live`"
            .to_owned(),
        count => format!("{count} registered"),
    });
}

/// Fetches every issuer's keys, as the first login would.
async fn look_at_issuers(findings: &mut Findings, workplace: &Workplace<'_>) {
    let rules = compose::issuer_rules(&workplace.config.issuers, workplace.variables);
    let Some(rules) = findings.note("issuers", rules, |rules| match rules.len() {
        0 => {
            "none configured: nobody can sign in; set BETTER_AUTH_URL or add [[issuers]]".to_owned()
        }
        count => format!("{count} configured"),
    }) else {
        return;
    };
    let Some(issuers) = findings.note(
        "issuers",
        compose::issuers_of(rules, &workplace.config),
        |_| "their rules are good".to_owned(),
    ) else {
        return;
    };
    let now = Now::new(now(), Instant::now());
    for (name, answer) in issuers.introspection_health(now).await {
        let answer = answer.map_err(|error| match error {
            auth::Error::Unavailable { message, .. } => anyhow::anyhow!(message),
            other => other.into(),
        });
        findings.note(format!("introspection of {name}"), answer, |()| {
            "answers about opaque tokens".to_owned()
        });
    }
    issuers.refresh_due(now).await;
    for (name, health) in issuers.health(now).await {
        let keys = if health.keys > 0 {
            Ok(health.keys)
        } else {
            let error = health
                .last_error
                .unwrap_or_else(|| "it has no usable key".to_owned());
            Err(anyhow::anyhow!(
                "{error}; check its address, and that it runs"
            ))
        };
        findings.note(format!("issuer {name}"), keys, |count| {
            format!("{count} usable keys")
        });
    }
}

/// Asks every MCP server for its tools, as a turn of nobody in particular.
async fn look_at_tools(findings: &mut Findings, workplace: &Workplace<'_>, built: &BuiltModels) {
    for raw in &workplace.config.workflows {
        let id = engine::WorkflowId::new(raw.id.as_str());
        let Ok(workflow) = built.workflows.get(Some(&id)) else {
            continue;
        };
        if raw.tools.is_empty() {
            continue;
        }
        let tools = list_tools(workflow).await;
        let found = if tools.is_empty() {
            Err(anyhow::anyhow!(
                "no tool answers; check that the MCP servers {} run at their addresses",
                raw.tools.join(", ")
            ))
        } else {
            Ok(tools)
        };
        findings.note(format!("tools of {}", raw.id), found, |tools| {
            tools.join(", ")
        });
    }
}

async fn list_tools(workflow: &Workflow) -> Vec<String> {
    let context = RequestContext {
        owner: Owner::new("vestibule:doctor nobody"),
        user: User {
            id: "nobody".to_owned(),
            issuer: "vestibule:doctor".to_owned(),
            claims: Arc::default(),
            token: None,
        },
        workflow: None,
        state_variables: Arc::default(),
        rules: SessionRules::default(),
        uploads: engine::UploadRules::default(),
        limits: engine::CallerLimits::default(),
        locale: None,
    };
    workflow
        .tools
        .list(&context)
        .await
        .into_iter()
        .map(|tool| tool.name)
        .collect()
}

fn describe(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in &findings.0 {
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark}  {:<14} {}", finding.name, finding.detail);
    }
    text.push_str(
        match findings.0.iter().filter(|finding| !finding.ok).count() {
            0 => "everything is well",
            _ => "mend what failed, then run `vestibule doctor` again",
        },
    );
    text
}
