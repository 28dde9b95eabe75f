//! `.widget` templates beside the official Python package, which fills them with Jinja.
//!
//! `VESTIBULE_CHATKIT_PYTHON` is the path of a Python interpreter with the package `openai-chatkit`; `make test` sets it
//! up. Without it this test says so and passes.
#![cfg(test)]

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use engine::template::WidgetTemplate;
use serde_json::{Value, json};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/templates/official.py");

fn case(template: &str, data: &Value) -> Value {
    let file =
        json!({"version": "1.0", "name": "a widget", "template": template, "jsonSchema": {}});
    json!({"file": file, "data": data})
}

/// What templates of Widget Studio do: values, lists, conditions, filters; with data that means something to Jinja, to
/// JSON and to HTML.
fn cases() -> Vec<Value> {
    let odd = json!({"name": "\"}]{{ 7 * 7 }}\\ <b>&'\n\u{2028}日本 😀", "count": 3, "price": 1.5, "none": null, "yes": true});
    let list = json!({"items": [
        {"id": "a", "label": "Blue", "tags": ["x", "y"], "on": true},
        {"id": "b", "label": "Ora\"nge", "tags": [], "on": false},
    ]});
    vec![
        case(r#"{"type":"Card","children":[]}"#, &json!({})),
        case(
            r#"{"type":"Card","key":"{{ count }}","children":[{"type":"Text","value":{{ name | tojson }}},
               {"type":"Text","value":{{ (name) | tojson }}},{"type":"Title","value":"{{ count }} {{ price }} {{ yes }}"}]}"#,
            &odd,
        ),
        case(
            r#"{"type":"ListView","children":[{%- for item in items -%}{"type":"ListViewItem","key":{{ item.id | tojson }},
               "onClickAction":{"type":"line.select","payload":{"id":{{ item.id | tojson }}}},
               "children":[{"type":"Text","value":{{ item.label | tojson }},"weight":{{ ("bold" if item.on else "normal") | tojson }}}
               {%- for tag in item.tags %},{"type":"Badge","label":{{ tag | upper | tojson }}}{% endfor -%}]}
               {%- if not loop.last %},{% endif -%}{%- endfor -%}]}"#,
            &list,
        ),
        case(
            r#"{"type":"Basic","children":[{% if yes %}{"type":"Text","value":"yes"}{% elif count %}{"type":"Text","value":"no"}{% endif %},
               {"type":"Text","value":"{{ name | length }} {{ [1, 2, count] | join('-') }} {{ count // 2 }} {{ count / 2 }} {{ none is none }}"},
               {"type":"Text","value":{{ none | default("nothing", true) | tojson }}}]}"#,
            &odd,
        ),
        case(
            r#"{% macro line(text) %}{"type":"Text","value":{{ text | trim | tojson }}}{% endmacro %}{% set total = items | length %}
               {"type":"Card","children":[{{ line("  a ") }},{{ line(total ~ " items") }}]}"#,
            &list,
        ),
    ]
}

#[test]
fn templates_give_what_they_give_in_the_official_package() {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the official package lives differs by machine"
    )]
    let Ok(python) = std::env::var("VESTIBULE_CHATKIT_PYTHON") else {
        eprintln!("SKIPPED: set VESTIBULE_CHATKIT_PYTHON to a Python with openai-chatkit");
        return;
    };
    let cases = cases();
    let mut child = Command::new(&python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    let lines: Vec<String> = cases.iter().map(ToString::to_string).collect();
    let mut input = child.stdin.take().expect("piped");
    input
        .write_all(lines.join("\n").as_bytes())
        .expect("the script reads");
    drop(input);
    let output = child.wait_with_output().expect("an answer");
    assert!(
        output.status.success(),
        "the official package failed; see above"
    );
    let answers = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| line.parse().expect("JSON"))
        .collect();
    assert_eq!(answers.len(), cases.len());
    for (case, expected) in cases.iter().zip(answers) {
        let template = WidgetTemplate::parse(&case["file"].to_string()).expect("a template");
        let widget = template
            .build(&case["data"])
            .unwrap_or_else(|error| panic!("{}: {error}", case["file"]["template"]));
        let widget = serde_json::to_value(widget).expect("JSON");
        assert_eq!(widget, expected, "{}", case["file"]["template"]);
    }
}
