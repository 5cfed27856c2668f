//! For tests: the service models, and whether our shapes have all that is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, Visitor, value::Error as Refused},
    forward_to_deserialize_any,
};

/// A service model, reduced by `tests/models/extract.py`.
#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) operations: BTreeMap<String, Operation>,
    structures: BTreeMap<String, BTreeMap<String, Member>>,
    /// What lists and maps consist of.
    lists: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    input: Option<String>,
    output: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    shape: String,
}

/// The members that one of our structs has: the names of its fields, in JSON and in forms.
pub(crate) fn fields_of<T: DeserializeOwned>() -> Vec<&'static str> {
    let mut fields = Vec::new();
    // Refused after it has told its fields.
    let _ = T::deserialize(Asks(&mut fields));
    fields
}

/// Asks a struct for its fields and gives it nothing.
struct Asks<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Asks<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(serde::de::Error::custom("there is nothing"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.0.extend(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl Model {
    pub(crate) fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("a model")
    }

    /// The names of the structures that operations take and answer, and of those within them.
    fn reachable(&self) -> BTreeSet<&str> {
        let named = |operation: &Operation| [operation.input.clone(), operation.output.clone()];
        let mut open: Vec<String> = self.operations.values().flat_map(named).flatten().collect();
        let mut reached = BTreeSet::new();
        while let Some(name) = open.pop() {
            open.extend(self.lists.get(&name).into_iter().flatten().cloned());
            let Some((name, members)) = self.structures.get_key_value(&name) else { continue };
            if reached.insert(name.as_str()) {
                open.extend(members.values().map(|member| member.shape.clone()));
            }
        }
        reached
    }

    /// What is wrong: structures that nobody reads or writes, and members that ours do not have. `left_out` has `Structure` or
    /// `Structure.Member` with the reason, and each of them must be left out indeed.
    pub(crate) fn complaints(
        &self,
        ours: &[(&str, Vec<&'static str>)],
        left_out: &[(&str, &str)],
    ) -> Vec<String> {
        let mut missing: BTreeSet<String> = BTreeSet::new();
        for name in self.reachable() {
            let Some((_, fields)) = ours.iter().find(|(structure, _)| *structure == name) else {
                missing.insert(name.to_owned());
                continue;
            };
            let members = self.structures[name].keys();
            let lacking = members.filter(|member| !fields.contains(&member.as_str()));
            missing.extend(lacking.map(|member| format!("{name}.{member}")));
        }
        let unknown = ours.iter().filter(|(name, _)| !self.structures.contains_key(*name));
        let mut complaints: Vec<String> =
            unknown.map(|(name, _)| format!("{name} is not in the model")).collect();
        for (name, reason) in left_out {
            if !missing.remove(*name) {
                complaints.push(format!("{name} is there, but listed as left out: {reason}"));
            }
        }
        complaints.extend(missing.into_iter().map(|name| format!("{name} is missing")));
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only its fields count")]
    struct Ours {
        first: String,
        #[serde(alias = "Other")]
        second: String,
    }

    #[test]
    fn what_is_missing_and_what_is_not_is_told() {
        let text = r#"{"operations": {"Do": {"input": "In", "output": null}}, "structures": {
            "In": {"First": {"shape": "String"}, "Third": {"shape": "Inners"}}, "Inner": {}, "Unused": {}}, "lists": {"Inners": ["Inner"]}}"#;
        let model = Model::read(text);
        let ours = [("In", fields_of::<Ours>()), ("Extra", Vec::new())];
        let complaints = model.complaints(&ours, &[("In.First", "no")]);
        let expected = [
            "Extra is not in the model",
            "In.First is there, but listed as left out: no",
            "In.Third is missing",
            "Inner is missing",
        ];
        assert_eq!(complaints, expected);
    }
}
