//! Styles of faces as DiceBear defines them: components with variants, colours to choose, elements of SVG.
//!
//! One JSON file a style (`@dicebear/schema`, `definition.json`). Of it is read what makes a still picture; animations,
//! weights of variants and rules between colours have no place in the styles that we draw.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use serde::Deserialize;

/// A style.
#[derive(Debug, Deserialize)]
pub struct Style {
    pub canvas: Canvas,
    /// Of the root, inherited by all elements.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    pub components: BTreeMap<String, Component>,
    #[serde(default)]
    pub colors: BTreeMap<String, Colors>,
}

/// What is drawn from the back to the front.
#[derive(Debug, Deserialize)]
pub struct Canvas {
    pub elements: Vec<Element>,
}

/// Something of which a face has one variant, or none.
#[derive(Debug, Deserialize)]
pub struct Component {
    /// In per cent; a face without says nothing of it has it always.
    pub probability: Option<usize>,
    pub variants: BTreeMap<String, Variant>,
}

#[derive(Debug, Deserialize)]
pub struct Variant {
    pub elements: Vec<Element>,
}

/// Colours of which a face has one.
#[derive(Debug, Deserialize)]
pub struct Colors {
    /// `#rrggbb` each.
    pub values: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Element {
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Of the SVG element or of the component.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    #[serde(default)]
    pub children: Vec<Element>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An element of SVG.
    Element,
    /// The variant of a component that the face has.
    Component,
}

/// A value of an attribute.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    /// The face's own colour of that name.
    Color {
        name: String,
    },
}

impl Style {
    pub fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("expected a style of faces as DiceBear defines them")
    }

    /// All elements that have an `id`, by it.
    pub fn named_elements(&self) -> HashMap<&str, &Element> {
        let variants = self.components.values().flat_map(|component| component.variants.values());
        let mut left: Vec<&Element> = self.canvas.elements.iter().collect();
        left.extend(variants.flat_map(|variant| &variant.elements));
        let mut named = HashMap::new();
        while let Some(element) = left.pop() {
            if let Some(Value::Text(id)) = element.attributes.get("id") {
                named.insert(id.as_str(), element);
            }
            left.extend(&element.children);
        }
        named
    }
}
