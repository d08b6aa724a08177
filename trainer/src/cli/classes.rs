//! Classes by their names: what folders were called when a generator learned, in its run and in its model file.

use anyhow::{Result, bail, ensure};
use edgegen_runtime::Model;

use super::source::{Source, check_class};
use super::words;

/// The fact of a model file with the names of its classes, one a line.
pub const FACT: &str = "classes";

impl Source {
    /// Names of the classes that can be asked for, in the order of their numbers; empty where they have none.
    pub fn class_names(&self) -> Result<Vec<String>> {
        let names = match self {
            Self::Run(run) => run.class_names().to_vec(),
            Self::Onnx(_) => Vec::new(),
            Self::Model(file) => names(&Model::parse_any(file.bytes())?),
        };
        Ok(if names.len() == self.classes()? { names } else { Vec::new() })
    }
}

/// The names in a model file.
pub fn names(model: &Model<'_>) -> Vec<String> {
    let about = model.about();
    let fact = about.metadata.iter().find(|(key, _)| *key == FACT);
    fact.map_or_else(Vec::new, |(_, names)| names.lines().map(str::to_owned).collect())
}

/// The number of the class that `text` names: its name, in any case of letters if just one is called so, else its number.
pub fn number(names: &[String], classes: usize, text: &str) -> Result<u16> {
    let lower = text.to_lowercase();
    let alike: Vec<usize> = (0..names.len()).filter(|&index| names[index].to_lowercase() == lower).collect();
    let named = names.iter().position(|name| name == text).or(match alike[..] {
        [only] => Some(only),
        _ => None,
    });
    let Some(class) = named.or_else(|| text.parse::<usize>().ok()) else {
        match names {
            [] => bail!("expected the number of a class, found {text}: this model's classes have no names"),
            _ => bail!("expected one of the classes {}, or its number, found {text}", names.join(", ")),
        }
    };
    let class = u16::try_from(class).unwrap_or(u16::MAX);
    check_class(Some(class), classes)?;
    Ok(class)
}

/// An act with its class as a number: `class=cat` becomes `class=3`, and of a model that reads words `class=red bob`.
/// Refuses classes that the model does not have.
pub fn act(model: &Model<'_>, act: Option<&str>) -> Result<Option<String>> {
    let Some(act) = act else { return Ok(None) };
    let classes = model.classes().into();
    Ok(Some(match act.strip_prefix("class=") {
        Some(text) => match words::noted(model) {
            attributes if !attributes.is_empty() && text.parse::<u16>().is_err() => {
                let vocabulary = words::Vocabulary::new(attributes);
                format!("class={}", vocabulary.class(&vocabulary.read(text)?, 0))
            }
            _ => format!("class={}", number(&names(model), classes, text)?),
        },
        None => {
            ensure!(
                act != "drums" || model.sample_rate().is_some(),
                "expected a model that makes sound for drums, found one of images: choose another --mode"
            );
            check_class((act == "class").then_some(0), classes)?;
            act.to_owned()
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::{project, read_model};

    #[test]
    fn a_class_is_a_name_or_a_number() {
        let names = ["cat", "Dog", "10", "dog"].map(str::to_owned);
        for (text, class) in [("cat", 0), ("CAT", 0), ("Dog", 1), ("dog", 3), ("10", 2), ("3", 3)] {
            assert_eq!(number(&names, 4, text).unwrap(), class, "{text}");
        }
        for (text, part) in [("DOG", "cat, Dog, 10, dog"), ("bird", "bird"), ("4", "from 0 to 3")] {
            let error = number(&names, 4, text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(number(&[], 3, "cat").unwrap_err().to_string().contains("no names"));
        assert_eq!(number(&[], 3, "2").unwrap(), 2);
    }

    #[test]
    fn acts_of_classes_that_are_not_there_are_refused() {
        let file = |name: &str| read_model(&project().join("models").join(name).join("model.egm")).unwrap();
        let (classes, none) = (file("mnist-cgan"), file("mnist-dcgan"));
        let [classes, none] = [&classes, &none].map(|file| Model::parse_any(file.bytes()).unwrap());
        for text in [None, Some("gallery"), Some("walk"), Some("class"), Some("class=9")] {
            assert_eq!(act(&classes, text).unwrap().as_deref(), text);
        }
        assert!(act(&classes, Some("class=12")).unwrap_err().to_string().contains("found 12"));
        assert!(act(&none, Some("walk")).is_ok() && act(&none, Some("class")).is_err());
    }
}
