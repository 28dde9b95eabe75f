//! `preset` in `[[models]]`: what is known of a provider, for the keys that the file does not set.
//!
//! A server's habits are learned from its refusals (`stream_options`, names of parameters); a preset spares
//! the first of them, and says what no refusal says: the address, the key's variable and its header.

use anyhow::{Context, bail};
use serde::Deserialize;
use url::Url;

use super::raw::{
    ModelKind, ModelPreset, RawConfig, RawMaxTokens, RawModel, RawPdf, RawSystemRole,
};

/// The version of Azure's API by deployment, which has to be named there; addresses below `/openai/v1` need none.
const AZURE_API_VERSION: &str = "2024-10-21";

/// What a preset says about a provider.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the file"
)]
struct Known {
    /// `None` where each customer has an address of their own.
    base_url: Option<&'static str>,
    key: Key,
    key_header: &'static str,
    stream_options: bool,
    end_user: bool,
    return_reasoning: bool,
    max_tokens_parameter: RawMaxTokens,
    alternating_roles: bool,
    pdf: RawPdf,
}

/// The variable that holds the key where the file names none.
#[derive(Clone, Copy)]
enum Key {
    /// Nobody is answered without one.
    Needed(&'static str),
    /// The operator's own server may want one.
    Optional(&'static str),
    None,
}

/// Sources: the providers' API references.
fn known(preset: ModelPreset) -> Known {
    let usual = Known {
        base_url: None,
        key: Key::None,
        key_header: "Authorization",
        stream_options: true,
        end_user: true,
        return_reasoning: true,
        max_tokens_parameter: RawMaxTokens::MaxTokens,
        alternating_roles: false,
        pdf: RawPdf::Text,
    };
    match preset {
        // Refuses every parameter and every field of a message that it does not know, counts tokens
        // unasked, and takes no user's message right after a tool's.
        ModelPreset::Mistral => Known {
            base_url: Some("https://api.mistral.ai/v1"),
            key: Key::Needed("MISTRAL_API_KEY"),
            stream_options: false,
            end_user: false,
            return_reasoning: false,
            alternating_roles: true,
            ..usual
        },
        ModelPreset::AzureOpenai => Known {
            key: Key::Needed("AZURE_OPENAI_API_KEY"),
            key_header: "api-key",
            max_tokens_parameter: RawMaxTokens::MaxCompletionTokens,
            ..usual
        },
        ModelPreset::Groq => Known {
            base_url: Some("https://api.groq.com/openai/v1"),
            key: Key::Needed("GROQ_API_KEY"),
            max_tokens_parameter: RawMaxTokens::MaxCompletionTokens,
            ..usual
        },
        ModelPreset::Deepseek => Known {
            base_url: Some("https://api.deepseek.com/v1"),
            key: Key::Needed("DEEPSEEK_API_KEY"),
            ..usual
        },
        ModelPreset::Ollama => Known {
            base_url: Some("http://127.0.0.1:11434/v1"),
            end_user: false,
            ..usual
        },
        ModelPreset::Vllm => Known {
            base_url: Some("http://127.0.0.1:8000/v1"),
            key: Key::Optional("VLLM_API_KEY"),
            ..usual
        },
        ModelPreset::Litellm => Known {
            base_url: Some("http://127.0.0.1:4000/v1"),
            key: Key::Optional("LITELLM_API_KEY"),
            pdf: RawPdf::File,
            ..usual
        },
        ModelPreset::Openrouter => Known {
            base_url: Some("https://openrouter.ai/api/v1"),
            key: Key::Needed("OPENROUTER_API_KEY"),
            pdf: RawPdf::File,
            ..usual
        },
    }
}

/// The tables as they are written: which keys are set shows nowhere else.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    models: Vec<toml::Table>,
}

/// Sets what the models' presets say, where `text`, the file, does not.
pub(super) fn apply(config: &mut RawConfig, text: &str) -> anyhow::Result<()> {
    if config.models.iter().all(|model| model.preset.is_none()) {
        return Ok(());
    }
    let written: Written = toml::from_str(text)?;
    for (model, table) in config.models.iter_mut().zip(&written.models) {
        if let Some(preset) = model.preset {
            apply_to(model, &known(preset), table)
                .with_context(|| format!("failed to use [[models]] `{}`", model.id))?;
        }
    }
    Ok(())
}

fn apply_to(model: &mut RawModel, known: &Known, written: &toml::Table) -> anyhow::Result<()> {
    let is_free = |name: &str| !written.contains_key(name);
    let mut set = Vec::new();
    let mut say = |name: &str, value: &dyn std::fmt::Debug| set.push(format!("{name} = {value:?}"));
    if is_free("kind") {
        model.kind = ModelKind::ChatCompletions;
        say("kind", &"chat-completions");
    }
    match (&mut model.base_url, known.base_url) {
        (Some(url), None) => {
            if let Some(whole) = azure_address(url) {
                say("base_url", &whole);
                *url = whole;
            }
        }
        (Some(_), Some(_)) => {}
        (none, Some(url)) => {
            *none = Some(url.to_owned());
            say("base_url", &url);
        }
        (None, None) => bail!(
            "the preset needs your own address: `base_url = \"https://RESOURCE.openai.azure.com\"`"
        ),
    }
    // A key is shown to no other server than the one that it is for, unless the file says so.
    let is_its_own = known.base_url.is_none() || known.base_url == model.base_url.as_deref();
    if is_free("api_key_env") && is_free("api_key_file") {
        match known.key {
            Key::Needed(name) if is_its_own => {
                model.api_key_env = Some(name.to_owned());
                say("api_key_env", &name);
            }
            Key::Optional(name) => {
                model.optional_key_env = Some(name);
                set.push(format!("a key from {name}, if there is one"));
            }
            Key::Needed(_) | Key::None => {}
        }
    }
    let mut say = |name: &str, value: &dyn std::fmt::Debug| set.push(format!("{name} = {value:?}"));
    if is_free("api_key_header") && !matches!(known.key, Key::None) {
        known.key_header.clone_into(&mut model.api_key_header);
        say("api_key_header", &known.key_header);
    }
    let switches = [
        (
            "stream_options",
            &mut model.stream_options,
            known.stream_options,
        ),
        ("end_user", &mut model.end_user, known.end_user),
        (
            "return_reasoning",
            &mut model.return_reasoning,
            known.return_reasoning,
        ),
        (
            "alternating_roles",
            &mut model.alternating_roles,
            known.alternating_roles,
        ),
    ];
    for (name, switch, value) in switches {
        if is_free(name) {
            *switch = value;
            say(name, &value);
        }
    }
    // Behind the Responses API all of them take files.
    if is_free("pdf") && model.kind == ModelKind::ChatCompletions {
        model.pdf = Some(known.pdf);
        let name = match known.pdf {
            RawPdf::File => "file",
            RawPdf::Text => "text",
        };
        say("pdf", &name);
    }
    if is_free("system_role") {
        model.system_role = RawSystemRole::System;
        say("system_role", &"system");
    }
    if is_free("max_tokens_parameter") {
        model.max_tokens_parameter = Some(known.max_tokens_parameter);
        let name = match known.max_tokens_parameter {
            RawMaxTokens::MaxTokens => "max_tokens",
            RawMaxTokens::MaxCompletionTokens => "max_completion_tokens",
        };
        say("max_tokens_parameter", &name);
    }
    model.preset_sets = set;
    Ok(())
}

/// What is missing in an address of Azure's: the path of its API where there is only the resource, and the
/// version where a deployment is named. `None` where nothing is.
fn azure_address(written: &str) -> Option<String> {
    let mut url = Url::parse(written).ok()?;
    if url.path() == "/" && url.query().is_none() {
        url.set_path("/openai/v1");
    } else if url.path().contains("/openai/deployments/")
        && !url.query_pairs().any(|(name, _)| name == "api-version")
    {
        url.query_pairs_mut()
            .append_pair("api-version", AZURE_API_VERSION);
    } else {
        return None;
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::super::{RawModel, parse};

    fn model(table: &str) -> RawModel {
        let text = format!("[[models]]\nid = \"m\"\nmodel = \"x\"\n{table}");
        let mut config = parse(&text).unwrap();
        config.models.remove(0)
    }

    #[test]
    fn each_preset_sets_the_address_and_where_the_key_is() {
        for (preset, address, key) in [
            (
                "mistral",
                "https://api.mistral.ai/v1",
                Some("MISTRAL_API_KEY"),
            ),
            (
                "groq",
                "https://api.groq.com/openai/v1",
                Some("GROQ_API_KEY"),
            ),
            (
                "deepseek",
                "https://api.deepseek.com/v1",
                Some("DEEPSEEK_API_KEY"),
            ),
            (
                "openrouter",
                "https://openrouter.ai/api/v1",
                Some("OPENROUTER_API_KEY"),
            ),
            ("ollama", "http://127.0.0.1:11434/v1", None),
            ("vllm", "http://127.0.0.1:8000/v1", None),
            ("litellm", "http://127.0.0.1:4000/v1", None),
        ] {
            let model = model(&format!("preset = \"{preset}\""));
            assert_eq!(model.base_url.as_deref(), Some(address), "{preset}");
            assert_eq!(model.api_key_env.as_deref(), key, "{preset}");
            assert_eq!(model.kind, super::ModelKind::ChatCompletions, "{preset}");
            let said = model.preset_sets.join(", ");
            for word in [
                address,
                key.unwrap_or(address),
                "stream_options = ",
                "system_role = ",
            ] {
                assert!(said.contains(word), "{preset}: {said}");
            }
        }
    }

    #[test]
    fn azure_has_an_address_of_ones_own_and_a_header_for_the_key() {
        for (written, whole) in [
            (
                "https://r.openai.azure.com",
                "https://r.openai.azure.com/openai/v1",
            ),
            (
                "https://r.openai.azure.com/openai/v1/",
                "https://r.openai.azure.com/openai/v1/",
            ),
            (
                "https://r.openai.azure.com/openai/deployments/d",
                "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
            ),
            (
                "https://r.openai.azure.com/openai/deployments/d?api-version=preview",
                "https://r.openai.azure.com/openai/deployments/d?api-version=preview",
            ),
        ] {
            let model = model(&format!(
                "preset = \"azure-openai\"\nbase_url = \"{written}\""
            ));
            assert_eq!(model.base_url.as_deref(), Some(whole));
            assert_eq!(model.api_key_header, "api-key");
            assert_eq!(model.api_key_env.as_deref(), Some("AZURE_OPENAI_API_KEY"));
        }
        let error = parse("[[models]]\nid = \"m\"\npreset = \"azure-openai\"").unwrap_err();
        assert!(
            format!("{error:#}").contains("RESOURCE.openai.azure.com"),
            "{error:#}"
        );
    }

    #[test]
    fn what_the_file_sets_wins_over_the_preset() {
        let written = model(
            "preset = \"mistral\"\nkind = \"openai-responses\"\nbase_url = \"https://mine.example.com\"\n\
             stream_options = true\nend_user = true\nreturn_reasoning = true\n\
             alternating_roles = false\nsystem_role = \"developer\"\napi_key_header = \"X-Key\"\n\
             max_tokens_parameter = \"max_completion_tokens\"",
        );
        assert_eq!(written.preset_sets, Vec::<String>::new());
        let expected = RawModel {
            preset: None,
            ..written.clone()
        };
        let text = toml::to_string(&expected).unwrap();
        let same: RawModel = toml::from_str(&text).unwrap();
        assert_eq!(expected, same);
        assert_eq!(
            written.base_url.as_deref(),
            Some("https://mine.example.com")
        );
        assert_eq!(written.api_key_env, None, "a key is shown to nobody else");
        assert!(written.stream_options && written.end_user && !written.alternating_roles);
        let file = model("preset = \"groq\"\napi_key_file = \"/key\"");
        assert_eq!(file.api_key_env, None);
    }

    #[test]
    fn an_unknown_preset_is_an_error_that_lists_them() {
        let error = parse("[[models]]\nid = \"m\"\npreset = \"mistrl\"").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("did you mean `mistral`?"), "{error}");
        for name in [
            "mistral",
            "azure-openai",
            "groq",
            "deepseek",
            "ollama",
            "vllm",
            "litellm",
            "openrouter",
        ] {
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
