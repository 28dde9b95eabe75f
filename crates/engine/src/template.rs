//! `.widget` files: widgets with places for data, as OpenAI's Widget Studio exports them, and the templates of
//! arguments for tools.
//!
//! A file is JSON with `version`, `name`, `template` (Jinja that gives a widget's JSON) and `jsonSchema` (what data it
//! takes, for people). What stands in a template is the operator's; data is whoever's, and cannot become template.

use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use protocol::{
    JsonObject, Widget, WidgetRoot,
    widget::{DynamicWidget, InvalidWidget},
};
use serde::Deserialize;
use serde_json::Value;

use crate::ports::AS_DATA;

/// How many steps one template may take: enough for a list of ten thousand rows.
const MAX_STEPS: u64 = 1_000_000;
/// The largest widget that is made, in bytes of JSON.
const MAX_WIDGET_BYTES: usize = 1 << 20;
/// The one version of `.widget` files that there is.
const VERSION: &str = "1.0";
/// What the one template in an environment is called.
const NAME: &str = "widget";

/// Why a template cannot be used, or made nothing of its data.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file is no `.widget` file.
    #[error("it is no .widget file: {0}")]
    File(#[source] serde_json::Error),
    /// It is one of another version.
    #[error("version {0:?} of .widget files is not known; export it as version \"1.0\"")]
    Version(String),
    /// The template is wrong, or takes data that is not there.
    #[error("{0}")]
    Template(#[source] minijinja::Error),
    /// It takes data that is not there.
    #[error("there is no `{0}`")]
    Missing(String),
    /// What came of it is no JSON.
    #[error("what it makes is no JSON object: {0}")]
    NotJson(#[source] serde_json::Error),
    /// What came of it is no widget.
    #[error("what it makes is no widget: {0}")]
    NoWidget(#[from] InvalidWidget),
    /// What came of it is too large.
    #[error("the widget is larger than {MAX_WIDGET_BYTES} bytes")]
    TooLarge,
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        Self::Template(error)
    }
}

/// A widget with places for data.
#[derive(Debug, Clone)]
pub struct WidgetTemplate {
    environment: Arc<Environment<'static>>,
}

impl WidgetTemplate {
    /// Reads a `.widget` file.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        #[derive(Deserialize)]
        struct File {
            version: String,
            template: String,
        }
        let file: File = serde_json::from_str(text).map_err(TemplateError::File)?;
        if file.version != VERSION {
            return Err(TemplateError::Version(file.version));
        }
        let mut environment = environment();
        environment.add_template_owned(NAME, file.template)?;
        Ok(Self {
            environment: Arc::new(environment),
        })
    }

    /// Puts data into its places. Data that is no object is called `data`.
    pub fn build(&self, data: &Value) -> Result<WidgetRoot, TemplateError> {
        let named;
        let data = match data {
            Value::Object(_) => data,
            other => {
                named = Value::Object(JsonObject::from_iter([("data".to_owned(), other.clone())]));
                &named
            }
        };
        let text = self.environment.get_template(NAME)?.render(Serde(data))?;
        if text.len() > MAX_WIDGET_BYTES {
            return Err(TemplateError::TooLarge);
        }
        let object: JsonObject = serde_json::from_str(&text).map_err(TemplateError::NotJson)?;
        // As it was written: read as the type that it is, it would say what it leaves out.
        let widget = DynamicWidget::try_from(object)?;
        Ok(Widget::Dynamic(widget).try_into()?)
    }
}

/// A tool's result as data: what stands behind [`AS_DATA`], or the whole of it; text that is no JSON is a text.
pub(crate) fn data_of(output: &str) -> Value {
    let data = output
        .rsplit_once(AS_DATA)
        .map_or(output, |(_words, data)| data);
    serde_json::from_str(data).unwrap_or_else(|_| Value::String(output.to_owned()))
}

/// Arguments for a tool, with places for data.
#[derive(Debug, Clone)]
pub struct ArgumentsTemplate {
    arguments: JsonObject,
    environment: Arc<Environment<'static>>,
}

impl ArgumentsTemplate {
    /// Takes arguments whose texts may be templates: `"{{ payload.id }}"` becomes the value itself, of whatever type, and
    /// `"Order {{ payload.id }}"` a text.
    pub fn new(arguments: JsonObject) -> Result<Self, TemplateError> {
        let environment = environment();
        check(&environment, &Value::Object(arguments.clone()))?;
        Ok(Self {
            arguments,
            environment: Arc::new(environment),
        })
    }

    /// Puts data into their places.
    pub fn fill(&self, data: &Value) -> Result<JsonObject, TemplateError> {
        let entries = self.arguments.iter();
        entries
            .map(|(name, value)| Ok((name.clone(), fill(&self.environment, value, data)?)))
            .collect()
    }
}

/// As Jinja is set up by the official SDK: what is not there is an error, and nothing is escaped by itself.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    environment
}

/// What stands between one pair of braces, where there is nothing else.
fn expression(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inside.contains("{{") && !inside.contains("}}")).then_some(inside)
}

fn check(environment: &Environment<'_>, value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::String(text) => {
            match expression(text) {
                Some(expression) => drop(environment.compile_expression(expression)?),
                None => drop(environment.template_from_str(text)?),
            }
            Ok(())
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| check(environment, value)),
        Value::Object(fields) => fields
            .values()
            .try_for_each(|value| check(environment, value)),
        _ => Ok(()),
    }
}

fn fill(
    environment: &Environment<'_>,
    value: &Value,
    data: &Value,
) -> Result<Value, TemplateError> {
    Ok(match value {
        Value::String(text) => match expression(text) {
            Some(expression) => {
                let value = environment
                    .compile_expression(expression)?
                    .eval(Serde(data))?;
                if value.is_undefined() {
                    return Err(TemplateError::Missing(expression.trim().to_owned()));
                }
                serde_json::to_value(value).map_err(TemplateError::NotJson)?
            }
            None => Value::String(environment.render_str(text, Serde(data))?),
        },
        Value::Array(values) => Value::Array(
            values
                .iter()
                .map(|value| fill(environment, value, data))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill(environment, value, data)?)))
                .collect::<Result<_, TemplateError>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(text: &str) -> WidgetTemplate {
        let file = json!({"version": "1.0", "name": "w", "template": text, "jsonSchema": {}});
        WidgetTemplate::parse(&file.to_string()).expect("a template")
    }

    #[test]
    fn data_fills_its_places_and_stays_data() {
        let list = template(
            r#"{"type":"ListView","children":[{%- for task in tasks -%}
            {"type":"ListViewItem","children":[{"type":"Text","value":{{ (task.title) | tojson }}}]}
            {%- if not loop.last -%},{%- endif -%}{%- endfor -%}]}"#,
        );
        let title = "\"}],{{ 7 * 7 }} <b>";
        let widget = list
            .build(&json!({"tasks": [{"title": title}, {"title": "two"}]}))
            .expect("a widget");
        let widget = serde_json::to_value(widget).expect("json");
        assert_eq!(widget["children"][0]["children"][0]["value"], title);
        assert_eq!(widget["children"][1]["children"][0]["value"], "two");
    }

    #[test]
    fn data_that_is_a_list_has_a_name() {
        let card = template(
            r#"{"type":"Card","children":[{"type":"Text","value":"{{ data | length }}"}]}"#,
        );
        let widget = serde_json::to_value(card.build(&json!([1, 2])).expect("a widget"));
        assert_eq!(widget.expect("json")["children"][0]["value"], "2");
    }

    #[test]
    fn mistakes_are_told() {
        let refused = |text: &str| {
            WidgetTemplate::parse(text)
                .expect_err("no template")
                .to_string()
        };
        assert!(refused("{}").contains("no .widget file"));
        assert!(refused(r#"{"version":"2.0","template":""}"#).contains("\"2.0\""));
        let broken = json!({"version": "1.0", "template": "{% for"}).to_string();
        assert!(refused(&broken).contains("syntax error"));
        let missing = template(r#"{"type":"Card","children":[{{ nobody }}]}"#);
        let error = missing.build(&json!({})).expect_err("data is missing");
        assert!(error.to_string().contains("undefined"), "{error}");
        let row = template(r#"{"type":"Row","children":[]}"#);
        assert!(matches!(
            row.build(&json!({})),
            Err(TemplateError::NoWidget(_))
        ));
    }

    #[test]
    fn a_template_cannot_go_on_for_ever() {
        let endless = template(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        );
        assert!(matches!(
            endless.build(&json!({})),
            Err(TemplateError::Template(_))
        ));
    }

    #[test]
    fn arguments_keep_their_types() {
        let arguments = json!({
            "id": "{{ payload.id }}", "note": "Order {{ payload.id }} of {{ user.id }}",
            "all": ["{{ payload.tags }}"], "fixed": 3,
        });
        let Value::Object(arguments) = arguments else {
            panic!("an object")
        };
        let template = ArgumentsTemplate::new(arguments).expect("a template");
        let data = json!({"payload": {"id": 7, "tags": ["a"]}, "user": {"id": "ada"}});
        assert_eq!(
            Value::Object(template.fill(&data).expect("arguments")),
            json!({"id": 7, "note": "Order 7 of ada", "all": [["a"]], "fixed": 3})
        );
        let wrong = JsonObject::from_iter([("id".to_owned(), json!("{{ payload. }}"))]);
        assert!(ArgumentsTemplate::new(wrong).is_err());
        let without = json!({"payload": {"tags": []}, "user": {"id": "ada"}});
        assert!(
            matches!(template.fill(&without), Err(TemplateError::Missing(name)) if name == "payload.id")
        );
    }
}
