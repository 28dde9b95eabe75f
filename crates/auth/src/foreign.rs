//! Keys of other makers, known by how they begin.
//!
//! People paste them where a user's token belongs. Such a key is never shown to an issuer, whatever
//! the configuration says: whoever is asked about a secret could use it.

/// What keys begin with, and whose they are; of two that fit, the longer stands first.
const MAKERS: &[(&str, &str)] = &[
    ("sk-ant-", "Anthropic"),
    ("sk-or-", "OpenRouter"),
    (
        "sk-",
        "OpenAI, or of a service that writes its keys like OpenAI",
    ),
    ("sk_live_", "Stripe"),
    ("sk_test_", "Stripe"),
    ("rk_live_", "Stripe"),
    ("rk_test_", "Stripe"),
    ("whsec_", "Stripe"),
    ("ghp_", "GitHub"),
    ("gho_", "GitHub"),
    ("ghu_", "GitHub"),
    ("ghs_", "GitHub"),
    ("ghr_", "GitHub"),
    ("github_pat_", "GitHub"),
    ("glpat-", "GitLab"),
    ("gldt-", "GitLab"),
    ("glrt-", "GitLab"),
    ("xox", "Slack"),
    ("xapp-", "Slack"),
    ("AKIA", "AWS"),
    ("ASIA", "AWS"),
    ("AIza", "Google"),
    ("GOCSPX-", "Google"),
    ("ya29.", "Google"),
    ("gsk_", "Groq"),
    ("xai-", "xAI"),
    ("pplx-", "Perplexity"),
    ("r8_", "Replicate"),
    ("hf_", "Hugging Face"),
    ("npm_", "npm"),
    ("pypi-", "PyPI"),
    ("dckr_pat_", "Docker"),
    ("dop_v1_", "DigitalOcean"),
    ("shpat_", "Shopify"),
    ("sb_secret_", "Supabase"),
    ("sbp_", "Supabase"),
    ("hvs.", "Vault"),
    ("lin_api_", "Linear"),
    ("ntn_", "Notion"),
    ("SG.", "SendGrid"),
];

/// Whose key a text looks like.
pub(crate) fn maker_of(text: &str) -> Option<&'static str> {
    MAKERS
        .iter()
        .find(|(prefix, _)| text.starts_with(prefix))
        .map(|(_, maker)| *maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_how_it_begins() {
        for (text, maker) in [
            ("sk-ant-api03-x", Some("Anthropic")),
            ("ghp_0123456789", Some("GitHub")),
            ("xoxb-1-2-x", Some("Slack")),
            ("AKIAIOSFODNN7EXAMPLE", Some("AWS")),
            ("akiaiosfodnn7example", None),
            ("zH0c1CrkqQNHi7Jq8CVBmKjDeUEB9hf2", None),
            ("", None),
        ] {
            assert_eq!(maker_of(text), maker, "{text}");
        }
    }

    #[test]
    fn no_prefix_stands_behind_one_that_would_answer_for_it() {
        for (index, (prefix, _)) in MAKERS.iter().enumerate() {
            let earlier = MAKERS[..index]
                .iter()
                .find(|(other, _)| prefix.starts_with(other));
            assert_eq!(earlier, None, "{prefix}");
        }
    }
}
