//! Names under which the tools of several servers stand beside each other.

use std::collections::{HashMap, HashSet};

/// The longest name that the providers take.
const MAX_LENGTH: usize = 64;

/// What is put in front of a name that does not begin with a letter: some providers take no other.
const BEGINNING: &str = "tool_";

/// A name for each tool of each server, unique among all of them and `[A-Za-z][A-Za-z0-9_-]{0,63}`: the
/// tool's own name where it can be, with the server's in front where two would be the same.
pub(super) fn assign(servers: &[(&str, Vec<&str>)]) -> Vec<Vec<String>> {
    let mut uses = HashMap::new();
    for tool in servers.iter().flat_map(|(_, tools)| tools) {
        *uses.entry(sanitise(tool)).or_insert(0) += 1;
    }
    let mut taken = HashSet::new();
    let mut name = |server: &str, tool: &str| {
        let plain = sanitise(tool);
        let wanted = match uses.get(&plain) {
            Some(1) => plain,
            _ => sanitise(&format!("{server}_{tool}")),
        };
        let mut name = wanted.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            let ending = format!("_{number}");
            let kept = wanted.len().min(MAX_LENGTH - ending.len());
            name = format!("{}{ending}", wanted.get(..kept).unwrap_or(&wanted));
            number += 1;
        }
        name
    };
    servers
        .iter()
        .map(|(server, tools)| tools.iter().map(|tool| name(server, tool)).collect())
        .collect()
}

/// The name with everything that is not allowed replaced; ASCII afterwards.
fn sanitise(name: &str) -> String {
    let is_allowed =
        |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let has_letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let beginning = if has_letter { "" } else { BEGINNING };
    beginning
        .chars()
        .chain(name.chars())
        .take(MAX_LENGTH)
        .map(|character| {
            if is_allowed(character) {
                character
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_as_they_are_until_two_are_the_same() {
        let names = assign(&[
            ("todo", vec!["add", "tasks.list"]),
            ("my notes", vec!["add", "tasks/list", "search"]),
        ]);
        assert_eq!(
            names,
            [
                vec!["todo_add", "todo_tasks_list"],
                vec!["my_notes_add", "my_notes_tasks_list", "search"]
            ]
        );
    }

    #[test]
    fn names_begin_with_a_letter() {
        let names = assign(&[("t", vec!["1st", "-x", "_y", "查询", "", "z"])]);
        let expected = ["tool_1st", "tool_-x", "tool__y", "tool___", "tool_", "z"];
        assert_eq!(names, [expected]);
    }

    proptest! {
        #[test]
        fn names_are_unique_and_allowed(
            servers in prop::collection::vec(
                ("[a-z é]{0,70}", prop::collection::vec("[ab._é]{0,3}|[a-b]{62,70}", 0..8)), 0..4)
        ) {
            let servers: Vec<_> = servers
                .iter()
                .map(|(server, tools)| (server.as_str(), tools.iter().map(String::as_str).collect()))
                .collect();
            let names: Vec<_> = assign(&servers).concat();
            let unique: HashSet<_> = names.iter().collect();
            prop_assert_eq!(unique.len(), names.len());
            prop_assert_eq!(names.len(), servers.iter().map(|(_, tools): &(&str, Vec<&str>)| tools.len()).sum::<usize>());
            for name in &names {
                prop_assert!((1..=MAX_LENGTH).contains(&name.len()), "{}", name);
                prop_assert!(name.starts_with(|first: char| first.is_ascii_alphabetic()), "{}", name);
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
            }
        }
    }
}
