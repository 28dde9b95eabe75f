//! `fallback` of `[[models]]`: models that stand in for one that cannot answer.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, ensure};
use engine::ports::Model;
use upstream::Fallback;

use super::{BuiltModel, find_model};
use crate::config::RawModel;

/// Puts the others behind each model that names some.
pub(super) fn add(
    raw_models: &[RawModel],
    models: &mut HashMap<String, BuiltModel>,
) -> anyhow::Result<()> {
    let mut wrapped = Vec::new();
    for raw in raw_models.iter().filter(|raw| !raw.fallback.is_empty()) {
        let built = one(raw, models)
            .with_context(|| format!("failed to use `fallback` of [[models]] `{}`", raw.id))?;
        wrapped.push((raw.id.as_str(), built));
    }
    // Only now: nobody stands in for one that stands in.
    for (id, (model, words)) in wrapped {
        if let Some(built) = models.get_mut(id) {
            built.model = model;
            built.words = words;
        }
    }
    Ok(())
}

fn one(
    raw: &RawModel,
    models: &HashMap<String, BuiltModel>,
) -> anyhow::Result<(Arc<dyn Model>, String)> {
    let first = find_model(&raw.id, models)?;
    let mut fallback = Fallback::new(&raw.id, first.model.clone());
    let mut words = first.words.clone();
    for (place, id) in raw.fallback.iter().enumerate() {
        ensure!(
            *id != raw.id && !raw.fallback[..place].contains(id),
            "`{id}` would be asked twice; name each other model once"
        );
        let other = find_model(id, models)?;
        fallback = fallback.or(id, other.model.clone(), other.name.clone());
        words = format!("{words}, else {}", other.words);
    }
    Ok((Arc::new(fallback), words))
}

#[cfg(test)]
mod tests {
    use engine::ports::{ModelEvent, ModelInput, ModelRequest};
    use futures::StreamExt as _;
    use testkit::fake_model::{FakeModel, Reply};

    use super::*;
    use crate::config;

    fn built(text: &str) -> anyhow::Result<HashMap<String, BuiltModel>> {
        let raw = config::parse(text)?.models;
        let mut models = HashMap::new();
        let reader = super::super::pdf_reader()?;
        for raw in &raw {
            let variables = std::iter::empty().collect();
            models.insert(
                raw.id.clone(),
                super::super::model(raw, &reader, &variables)?,
            );
        }
        add(&raw, &mut models)?;
        Ok(models)
    }

    fn table(id: &str, base_url: &str, fallback: &str) -> String {
        format!(
            "[[models]]\nid = \"{id}\"\nkind = \"chat-completions\"\nmodel = \"{id}-1\"\nretries = 0\n\
             base_url = \"{base_url}\"\nfallback = {fallback}\n"
        )
    }

    #[tokio::test]
    async fn each_stands_in_for_the_other_and_none_for_a_stand_in() {
        let server = FakeModel::scripted([]).await.unwrap();
        let url = server.base_url();
        let text = [
            table("a", &url, "[\"b\"]"),
            table("b", &url, "[\"a\", \"c\"]"),
            table("c", &url, "[]"),
        ];
        let models = built(&text.concat()).unwrap();
        let words = &models["a"].words;
        assert_eq!(*words, format!("a-1 at {url}, else b-1 at {url}"));
        let mut asked = Vec::new();
        for (id, answers) in [("a", 2), ("b", 3), ("c", 1)] {
            for _ in 1..answers {
                server.push(Reply::http_error(500, "server_error", "boom"));
            }
            server.push(Reply::text(["fine"]));
            let request = ModelRequest {
                model: models[id].name.clone(),
                instructions: String::new(),
                input: vec![ModelInput::User("hi".into())],
                tools: Vec::new(),
                tool_choice: None,
                max_output_tokens: None,
                locale: None,
                end_user: String::new(),
                may_use_builtins: true,
            };
            let mut events = models[id].model.respond(request).await.unwrap();
            let first = events.next().await.unwrap().unwrap();
            assert_eq!(first, ModelEvent::TextDelta("fine".to_owned()));
            let names = server.requests().split_off(asked.len());
            asked.extend(names.iter().map(|request| request.body["model"].clone()));
        }
        assert_eq!(asked, ["a-1", "b-1", "b-1", "a-1", "c-1", "c-1"]);
    }

    #[test]
    fn a_model_that_is_named_wrongly_is_a_mistake() {
        let url = "http://127.0.0.1:1/v1";
        for (fallback, said) in [
            ("[\"a\"]", "`a` would be asked twice"),
            ("[\"b\", \"b\"]", "`b` would be asked twice"),
            ("[\"z\"]", "there is no model `z`; [[models]] has a, b"),
        ] {
            let text = [table("a", url, fallback), table("b", url, "[]")].concat();
            let error = format!("{:#}", built(&text).err().unwrap());
            assert!(error.contains(said), "{error}");
            assert!(error.contains("[[models]] `a`"), "{error}");
        }
    }
}
