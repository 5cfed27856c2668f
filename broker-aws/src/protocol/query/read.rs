//! From a tree of parameters to a struct, through serde: texts become what the field wants them to be.

use std::{fmt, vec};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
        Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{Node, tree::NotAList};
use crate::wire::error::{WireError, WireResult};

/// Reads an input. Lists go by the name of their items, which is an alias of the field.
pub(crate) fn read<T: DeserializeOwned>(form: &Node) -> WireResult<T> {
    T::deserialize(Reader(form)).map_err(|error| WireError::sender("MalformedInput", error.0))
}

/// Why parameters do not fit.
#[derive(Debug)]
struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

impl From<NotAList> for Misfit {
    fn from(_: NotAList) -> Self {
        Self("a list whose items are not numbered".into())
    }
}

struct Reader<'a>(&'a Node);

impl Reader<'_> {
    fn text(&self) -> Result<&str, Misfit> {
        match self.0 {
            Node::Text(text) => Ok(text),
            Node::Below(_) => Err(Misfit("a list or structure where a value is expected".into())),
        }
    }

    /// The text as a number.
    fn number<T: std::str::FromStr>(&self) -> Result<T, Misfit> {
        self.text()?.trim().parse().map_err(|_| Misfit("a value is not a number in range".into()))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            visitor.$visit(self.number()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::Below(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.text()?.trim() {
            flag if flag.eq_ignore_ascii_case("true") => visitor.visit_bool(true),
            flag if flag.eq_ignore_ascii_case("false") => visitor.visit_bool(false),
            _ => Err(Misfit("a value is not true or false".into())),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
        deserialize_f32 visit_f32 deserialize_f64 visit_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_seq(Items(self.0.items()?.into_iter()))
    }

    /// Entries of a map are numbered, and each has a name or key and a value.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Entries { left: self.0.entries()?.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Below(below) => {
                visitor.visit_map(Members { left: below.iter().collect::<Vec<_>>().into_iter(), value: None })
            }
            // botocore writes an empty structure as an empty text.
            Node::Text(_) => visitor.visit_map(Members { left: Vec::new().into_iter(), value: None }),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

struct Items<'a>(vec::IntoIter<&'a Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|node| seed.deserialize(Reader(node))).transpose()
    }
}

/// The members of a structure.
struct Members<'a> {
    left: vec::IntoIter<(&'a String, &'a Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        self.value = Some(value);
        let name: StrDeserializer<'_, Misfit> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(Reader(self.value.take().ok_or_else(|| Misfit("a value without a name".into()))?))
    }
}

/// The entries of a map.
struct Entries<'a> {
    left: vec::IntoIter<&'a Node>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(entry) = self.left.next() else { return Ok(None) };
        let Node::Below(parts) = entry else { return Err(Misfit("an entry without a name".into())) };
        let part = |names: [&str; 3]| names.iter().find_map(|name| parts.get(*name));
        let name = part(["Name", "Key", "key"]).ok_or_else(|| Misfit("an entry without a name".into()))?;
        // An entry without a value is one with an empty value.
        self.value = Some(part(["Value", "value", ""]).unwrap_or(&NOTHING));
        seed.deserialize(Reader(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(Reader(self.value.take().ok_or_else(|| Misfit("a value without a name".into()))?))
    }
}

/// An empty text.
static NOTHING: Node = Node::Text(String::new());

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Input {
        name: Option<String>,
        count: Option<i32>,
        #[serde(alias = "Attribute")]
        attributes: Option<BTreeMap<String, String>>,
        #[serde(alias = "Entry")]
        entries: Option<Vec<Inner>>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Inner {
        flag: Option<bool>,
    }

    fn input(form: &str) -> WireResult<Input> {
        read(&Node::from_pairs(form_urlencoded::parse(form.as_bytes()))?)
    }

    #[test]
    fn parameters_become_what_the_fields_are() {
        let form = "Action=X&Name=a%20b&Count=-7&Attribute.1.Name=k&Attribute.1.Value=v&Attribute.2.Name=empty\
                    &Entry.2.Flag=False&Entry.1.Flag=true";
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let expected = Input {
            name: Some("a b".into()),
            count: Some(-7),
            attributes: Some(map(&[("k", "v"), ("empty", "")])),
            entries: Some(vec![Inner { flag: Some(true) }, Inner { flag: Some(false) }]),
        };
        assert_eq!(input(form), Ok(expected));
        let wrapped = input("Attributes.entry.1.key=k&Attributes.entry.1.value=v&Entries.member.1.Flag=true");
        let wrapped = wrapped.expect("an input");
        assert_eq!(wrapped.attributes, Some(map(&[("k", "v")])));
        assert_eq!(wrapped.entries, Some(vec![Inner { flag: Some(true) }]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [
            "Count=x",
            "Count=99999999999",
            "Name.1=a",
            "Entry.1.Flag=2",
            "Attribute.1.Value=v",
            "Attribute=a",
        ] {
            assert_eq!(input(bad).expect_err(bad).code, "MalformedInput", "{bad}");
        }
    }
}
