//! What servers send, what is offered for it, and what holds for any schema.

use proptest::prelude::*;

use super::*;

fn offered(schema: Value) -> Value {
    let Value::Object(schema) = schema else {
        panic!("an object")
    };
    match acceptable(&schema) {
        Ok(schema) => Value::Object(schema),
        Err(error) => json!(error.to_string()),
    }
}

/// What is offered for a schema of one property.
fn property(schema: &Value) -> Value {
    offered(json!({ "type": "object", "properties": { "a": schema } }))["properties"]["a"].clone()
}

#[test]
fn a_plain_schema_stays_as_it_is() {
    let plain = json!({
        "type": "object",
        "description": "What to do.",
        "properties": {
            "title": { "type": "string", "minLength": 1, "maxLength": 80, "pattern": "^a.*$" },
            "due": { "type": ["string", "null"], "format": "date-time" },
            "tags": { "type": "array", "items": { "enum": ["a", "b"] }, "default": [] },
            "place": { "anyOf": [{ "type": "string" }, { "type": "object", "properties": {}, "additionalProperties": false }] },
        },
        "required": ["title"],
        "additionalProperties": false,
    });
    assert_eq!(offered(plain.clone()), plain);
}

#[test]
fn a_root_that_says_little_is_an_object() {
    let nothing = json!({ "type": "object", "properties": {} });
    for schema in [
        json!({}),
        json!({ "$schema": "http://json-schema.org/draft-07/schema#" }),
        json!({ "type": "OBJECT" }),
        json!({ "type": ["object", "null"], "required": ["gone"] }),
        json!({ "type": "object", "properties": null, "required": true, "enum": [{}], "not": {} }),
    ] {
        assert_eq!(offered(schema.clone()), nothing, "{schema}");
    }
}

#[test]
fn arguments_that_are_no_object_cannot_be_offered() {
    for schema in [
        json!({ "type": "array" }),
        json!({ "type": "string" }),
        json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
        json!({ "$ref": "#/$defs/Text", "$defs": { "Text": { "type": "string" } } }),
    ] {
        assert_eq!(
            offered(schema.clone()),
            "its arguments are not an object",
            "{schema}"
        );
    }
}

#[test]
fn unions_at_the_root_become_one_object() {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "number" });
    assert_eq!(
        offered(json!({
            "type": "object",
            "properties": { "c": text },
            "required": ["c"],
            "anyOf": [
                { "properties": { "a": text, "both": text }, "required": ["a", "both"] },
                { "properties": { "b": text, "both": number }, "required": ["b", "both"] },
                { "type": "null" },
            ],
        })),
        json!({
            "type": "object",
            "description": "Give one of these: a, both; or b, both.",
            "properties": { "a": text, "b": text, "both": { "anyOf": [text, number] }, "c": text },
            "required": ["c", "both"],
        })
    );
    assert_eq!(
        offered(json!({
            "allOf": [
                { "$ref": "#/$defs/Named" },
                { "oneOf": [{ "properties": { "x": number }, "required": ["x"] }] },
            ],
            "$defs": { "Named": { "type": "object", "properties": { "name": text }, "required": ["name"] } },
        })),
        json!({
            "type": "object",
            "properties": { "name": text, "x": number },
            "required": ["name", "x"],
        })
    );
}

#[test]
fn references_are_replaced_by_what_they_refer_to() {
    let color = json!({ "enum": ["red", "blue"], "description": "A colour." });
    for (reference, definitions) in [
        ("#/$defs/Color", json!({ "$defs": { "Color": color } })),
        (
            "#/definitions/Color",
            json!({ "definitions": { "Color": color } }),
        ),
        (
            "#/definitions/Colo%72",
            json!({ "definitions": { "Color": color } }),
        ),
        ("#/$defs/a~1b", json!({ "$defs": { "a/b": color } })),
        ("Color", json!({ "$defs": { "Color": color } })),
        (
            "https://x.example/s.json#/$defs/Color",
            json!({ "$id": "https://x.example/s.json", "$defs": { "Color": color } }),
        ),
    ] {
        let mut schema = definitions.clone();
        schema["properties"] = json!({ "a": { "$ref": reference }, "b": { "$ref": reference, "description": "Of the wall." } });
        let offered = offered(schema);
        assert_eq!(offered["properties"]["a"], color, "{reference}");
        assert_eq!(offered["properties"]["b"]["description"], "Of the wall.");
        assert_eq!(offered["properties"]["b"]["enum"], color["enum"]);
        assert!(!offered.to_string().contains("ef\":"), "{offered}");
    }
    for gone in ["#/$defs/Gone", "https://x.example/other.json", "#gone", ""] {
        assert_eq!(
            property(&json!({ "$ref": gone, "title": "t" })),
            json!({ "title": "t" })
        );
    }
}

#[test]
fn what_refers_to_itself_ends() {
    let tree = json!({
        "properties": { "root": { "$ref": "#/$defs/Node" } },
        "$defs": { "Node": { "type": "object", "description": "A node.", "properties": {
            "name": { "type": "string" },
            "children": { "type": "array", "items": { "$ref": "#/$defs/Node" } },
        } } },
    });
    assert_eq!(
        offered(tree)["properties"]["root"],
        json!({ "type": "object", "description": "A node.", "properties": {
            "name": { "type": "string" },
            "children": { "type": "array", "items": { "type": "object", "description": "A node." } },
        } })
    );
    let own = offered(json!({ "type": "object", "properties": { "again": { "$ref": "#" } } }));
    assert_eq!(own["properties"]["again"], json!({ "type": "object" }));
}

#[test]
fn references_that_would_fill_a_book_are_followed_less_deeply() {
    // Each definition refers to the next one ten times.
    let mut definitions = Object::new();
    for number in 0..12 {
        let next = json!({ "$ref": format!("#/$defs/d{}", number + 1) });
        let properties: Object = (0..10)
            .map(|place| (format!("p{place}"), next.clone()))
            .collect();
        definitions.insert(
            format!("d{number}"),
            json!({ "type": "object", "properties": properties }),
        );
    }
    let schema = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
    let offered = offered(schema);
    assert!(offered["properties"]["p0"].is_object(), "{offered}");
    assert!(offered.to_string().len() <= MAX_BYTES);
    let long = "x".repeat(MAX_BYTES);
    assert_eq!(
        property(&json!({ "description": long })),
        Value::Null,
        "one that is too long in itself is not offered"
    );
}

#[test]
fn what_is_no_schema_allows_anything_and_what_allows_nothing_goes() {
    for schema in [
        json!(true),
        json!(null),
        json!("string"),
        json!(7),
        json!([]),
    ] {
        assert_eq!(property(&schema), json!({}));
    }
    assert_eq!(property(&json!(false)), Value::Null);
    assert_eq!(
        property(&json!({ "anyOf": [true, false, { "type": "string" }], "oneOf": [] })),
        json!({ "anyOf": [{}, { "type": "string" }] })
    );
    assert_eq!(
        property(&json!({ "type": "object", "additionalProperties": { "type": "int" } })),
        json!({ "type": "object", "additionalProperties": { "type": "integer" } })
    );
}

#[test]
fn lists_have_items() {
    for (schema, items) in [
        (json!({ "type": "array" }), json!({})),
        (json!({ "type": ["array", "null"] }), json!({})),
        (json!({ "type": "array", "items": true }), json!({})),
        (json!({ "type": "array", "items": [] }), json!({})),
        (
            json!({ "type": "array", "items": [{ "type": "string" }, { "type": "string" }] }),
            json!({ "type": "string" }),
        ),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "number" }] }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }),
        ),
    ] {
        assert_eq!(property(&schema)["items"], items, "{schema}");
    }
}

#[test]
fn keywords_that_some_provider_refuses_are_left_out() {
    let odd = json!({
        "type": "str", "format": "int64", "const": "x", "exclusiveMinimum": true, "minLength": -1, "maxLength": "9",
        "description": null, "required": ["a"], "if": {}, "then": {}, "x-order": 1, "$comment": "c",
    });
    assert_eq!(property(&odd), json!({ "type": "string", "enum": ["x"] }));
    assert_eq!(property(&json!({ "type": "any", "enum": [] })), json!({}));
    assert_eq!(
        property(&json!({ "type": ["int", "NULL", "file"], "enum": [1, 1, null] })),
        json!({ "type": ["integer", "null"], "enum": [1, null] })
    );
    // Words of the language are names like others where names stand.
    let names = json!({ "properties": { "$ref": { "type": "string" }, "type": { "type": "string" } }, "required": ["type"] });
    assert_eq!(property(&names), names);
}

#[test]
fn a_pattern_that_some_cannot_compile_is_left_out() {
    let text = json!({ "type": "string" });
    for pattern in ["^(?!undefined$|null$)", r"^\p{L}+$", "^[a-z[\\]]*$", "("] {
        let schema = json!({ "type": "string", "pattern": pattern });
        assert_eq!(property(&schema), text, "{pattern}");
        let schema = json!({ "type": "object", "patternProperties": { pattern: text, "^x": text },
            "additionalProperties": false });
        let offered = json!({ "type": "object", "patternProperties": { "^x": text } });
        assert_eq!(property(&schema), offered, "{pattern}");
    }
    for part in ["^a", "a$", "a"] {
        assert_eq!(
            property(&json!({ "type": "string", "pattern": part })),
            text
        );
    }
    let closed = json!({ "type": "object", "patternProperties": { "^x": text }, "additionalProperties": false });
    assert_eq!(property(&closed), closed);
}

#[test]
fn a_remark_that_is_not_of_its_type_is_left_out() {
    let odd = json!({ "type": "number", "examples": "3", "deprecated": "no", "nullable": 1, "readOnly": null,
        "contentMediaType": 7, "multipleOf": 0 });
    assert_eq!(property(&odd), json!({ "type": "number" }));
    let fine = json!({ "type": "number", "examples": [3], "deprecated": true, "multipleOf": 0.5, "default": null });
    assert_eq!(property(&fine), fine);
}

#[test]
fn a_count_of_very_many_is_left_out() {
    let some = json!({ "type": "string", "minLength": 1, "maxLength": 1_000 });
    assert_eq!(property(&some), some);
    let many = json!({ "type": "array", "items": { "type": "string", "maxLength": 65_536 }, "maxItems": 10_000 });
    let offered = json!({ "type": "array", "items": { "type": "string" } });
    assert_eq!(property(&many), offered);
}

#[test]
fn a_choice_that_the_type_forbids_is_none() {
    for (schema, offered) in [
        (
            json!({ "type": "string", "enum": ["a", null, 1] }),
            json!({ "type": "string", "enum": ["a"] }),
        ),
        (
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        ),
        (
            json!({ "type": "integer", "enum": [1, 2.0, 2.5, "3"] }),
            json!({ "type": "integer", "enum": [1, 2.0] }),
        ),
        (
            json!({ "type": "string", "const": 1 }),
            json!({ "type": "string" }),
        ),
        (
            json!({ "enum": ["a", null] }),
            json!({ "enum": ["a", null] }),
        ),
    ] {
        assert_eq!(property(&schema), offered, "{schema}");
    }
}

#[test]
fn arguments_have_names_that_every_provider_takes() {
    let any = json!({});
    let long = "n".repeat(70);
    let mut schema = json!({ "type": "object", "required": ["$filter", "a.b", "filter[]"],
        "properties": { "$filter": any, "@filter": any, "_filter": any, "a.b": any, "filter[]": any, long.clone(): any,
            "": any, "名": { "properties": { "$inner": any } } } });
    let renamed = rename(schema.as_object_mut().unwrap());
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let short = "n".repeat(64);
    assert_eq!(names.len(), 8);
    for (new, old) in [
        ("_filter_2", "$filter"),
        ("_filter_3", "@filter"),
        ("filter__", "filter[]"),
        (&short, &long),
        ("_2", ""),
        ("_", "名"),
    ] {
        assert_eq!(
            renamed.get(new).map(String::as_str),
            Some(old),
            "{renamed:?}"
        );
        assert!(names.iter().any(|name| *name == new), "{names:?}");
    }
    assert_eq!(renamed.len(), 6, "{renamed:?}");
    assert_eq!(schema["required"], json!(["_filter_2", "a.b", "filter__"]));
    assert!(schema["properties"]["_"]["properties"]["$inner"].is_object());
    let mut plain = json!({ "properties": { "a": any, "b-c.d": any } });
    let as_it_was = plain.clone();
    assert!(rename(plain.as_object_mut().unwrap()).is_empty());
    assert_eq!(plain, as_it_was);
}

/// Everything that a provider is known to refuse.
fn complaint(schema: &Value) -> Option<String> {
    let Value::Object(fields) = schema else {
        return Some(format!("{schema} is no schema"));
    };
    for (name, value) in fields {
        let inner = match (name.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(all)) => {
                all.values().find_map(complaint)
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) if !all.is_empty() => {
                all.iter().find_map(complaint)
            }
            ("additionalProperties" | "uniqueItems", Value::Bool(_))
            | ("title" | "description" | "pattern" | "format", Value::String(_))
            | ("examples", Value::Array(_))
            | ("default", _) => None,
            ("items" | "additionalProperties", value) => complaint(value),
            ("type", Value::String(kind)) if TYPES.contains(&kind.as_str()) => None,
            ("type", Value::Array(kinds)) if kinds.len() > 1 => None,
            ("enum" | "required", Value::Array(values)) if !values.is_empty() => None,
            (name, Value::Bool(_)) if SWITCHES.contains(&name) => None,
            (name, Value::Number(_)) if COUNTS.contains(&name) || NUMBERS.contains(&name) => None,
            (name, value) => Some(format!("{name}: {value}")),
        };
        if inner.is_some() {
            return inner;
        }
    }
    let is_bare = is_kind(fields, "array") && !fields.contains_key("items");
    is_bare.then(|| "array without items".to_owned())
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        prop::sample::select(vec![
            "object",
            "array",
            "string",
            "any",
            "#",
            "#/$defs/a",
            "#/properties/a",
            "date"
        ])
        .prop_map(Value::from),
    ];
    let names = [
        "type",
        "properties",
        "items",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "$ref",
        "$defs",
        "enum",
        "const",
        "required",
        "additionalProperties",
        "format",
        "minimum",
        "maxLength",
        "description",
        "default",
        "a",
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..6)
                .prop_map(|map| map
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
        ]
    })
}

proptest! {
    /// Whatever a server calls a schema: what is offered for it is one that every provider takes, and stays the same
    /// when it is made acceptable once more.
    #[test]
    fn any_schema_is_acceptable_or_its_tool_is_left_out(schema in any_value()) {
        let Value::Object(schema) = schema else { return Ok(()) };
        if let Ok(offered) = acceptable(&schema) {
            prop_assert_eq!(offered.get("type"), Some(&json!("object")));
            prop_assert!(offered.get("properties").is_some_and(Value::is_object));
            for name in ["anyOf", "oneOf", "allOf", "enum", "not", "$ref", "$defs"] {
                prop_assert!(!offered.contains_key(name), "{name} at the root");
            }
            let value = Value::Object(offered.clone());
            prop_assert_eq!(complaint(&value), None);
            prop_assert_eq!(acceptable(&offered), Ok(offered));
        }
    }
}

#[test]
fn a_list_of_very_many_values_is_left_out() {
    let codes = |count: usize| (0..count).map(|code| json!(code)).collect::<Vec<_>>();
    let few = json!({ "type": "integer", "enum": codes(MAX_VALUES) });
    assert_eq!(property(&few), few);
    let many = json!({ "type": "integer", "enum": codes(MAX_VALUES + 1) });
    assert_eq!(property(&many), json!({ "type": "integer" }));
}
