//! Something that is known of each image beside its class: `hair`, and the words for what it can be.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An attribute of images. A recipe names it, a run notes its words, too: `"hair"`, or
/// `{ name = "hair", words = ["bob", "curls"] }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it can be, in the order of their numbers; empty where only the name is known.
    pub words: Vec<String>,
}

/// As it is written where the words are known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    name: String,
    words: Vec<String>,
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.words.is_empty() {
            return self.name.serialize(serializer);
        }
        Whole { name: self.name.clone(), words: self.words.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrWhole;

        impl<'de> Visitor<'de> for NameOrWhole {
            type Value = Attribute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an attribute, or { name = \"…\", words = [\"…\"] }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Attribute, E> {
                Ok(Attribute { name: name.to_owned(), words: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Attribute, A::Error> {
                let Whole { name, words } = Whole::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Attribute { name, words })
            }
        }

        deserializer.deserialize_any(NameOrWhole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_as_they_are_read() {
        for json in [r#"["hair",{"name":"eyes","words":["open","closed"]}]"#, "[]"] {
            let attributes: Vec<Attribute> = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&attributes).unwrap(), json);
        }
        for (json, part) in [("[3]", "the name of an attribute"), (r#"[{"name":"x","word":[]}]"#, "unknown field")] {
            let error = serde_json::from_str::<Vec<Attribute>>(json).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
