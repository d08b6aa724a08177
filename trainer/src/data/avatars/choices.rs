//! What faces of a style can differ in, and all faces of a set.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::draw::Face;
use super::style::{Element, Style, Value};
use crate::data::Split;
use crate::data::attributes::NONE;
use crate::rng::Rng;

/// Colours of a style with this name lie behind all of a face.
pub const BACKGROUND: &str = "background";

/// What faces of a style can differ in. Components come first, then colours.
pub struct Choices<'a> {
    style: &'a Style,
    /// Of the attributes.
    pub names: Vec<String>,
    /// Of each attribute, as the style calls them; [`NONE`] last where a face may be without: a component that is not
    /// there, a colour that nothing of it has.
    pub values: Vec<Vec<&'a str>>,
    /// Of each attribute: the component or the colours, and how likely a face has it, in per cent.
    parts: Vec<(Part<'a>, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Component(&'a str),
    Colors(&'a str),
}

impl<'a> Choices<'a> {
    pub fn of(style: &'a Style, likely: &[(&str, usize)]) -> Self {
        let mut choices = Self { style, names: Vec::new(), values: Vec::new(), parts: Vec::new() };
        for (name, component) in &style.components {
            let own = likely.iter().find(|(of, _)| of == name).map(|&(_, likely)| likely);
            let likely = own.or(component.probability).unwrap_or(100);
            let mut values: Vec<&str> = component.variants.keys().map(String::as_str).collect();
            if likely < 100 {
                values.push(NONE);
            }
            choices.push(plain(name), values, Part::Component(name), likely);
        }
        let always = choices.always_seen();
        for (name, colors) in &style.colors {
            let mut values: Vec<&str> = colors.values.iter().map(String::as_str).collect();
            if !always.contains(name.as_str()) {
                values.push(NONE);
            }
            choices.push(format!("{} colour", plain(name)), values, Part::Colors(name), 100);
        }
        choices
    }

    fn push(&mut self, name: String, values: Vec<&'a str>, part: Part<'a>, likely: usize) {
        self.names.push(name);
        self.values.push(values);
        self.parts.push((part, likely));
    }

    /// Whether two faces can have different values.
    pub fn differ(&self, attribute: usize) -> bool {
        let values = &self.values[attribute];
        // One colour or none tells nothing that what has it does not.
        let colors = matches!(self.parts[attribute].0, Part::Colors(_)) && values.last() == Some(&NONE);
        values.len() > if colors { 2 } else { 1 }
    }

    /// The values of each face of a part, all different and none of them in the other part.
    pub fn faces(&self, count: [usize; 2], split: Split) -> Vec<Vec<u8>> {
        let total = count[0] + count[1];
        let every = total / count[1];
        let mut seen = HashSet::new();
        let mut faces = Vec::new();
        for index in 0.. {
            let face = self.draw(&mut Rng::new(0, index));
            if !seen.insert(face.clone()) {
                continue;
            }
            let tested = seen.len().is_multiple_of(every);
            if tested == (split == Split::Test) {
                faces.push(face);
            }
            if seen.len() == total {
                break;
            }
        }
        faces
    }

    /// Values by chance.
    fn draw(&self, rng: &mut Rng) -> Vec<u8> {
        let mut face: Vec<u8> = Vec::with_capacity(self.parts.len());
        for ((_, likely), values) in self.parts.iter().zip(&self.values) {
            let there = rng.below(100) < *likely;
            let variants = values.len() - usize::from(values.last() == Some(&NONE));
            let value = rng.below(variants);
            face.push(if there { value } else { variants } as u8);
        }
        let seen = self.seen(&face);
        for (value, ((part, _), values)) in face.iter_mut().zip(self.parts.iter().zip(&self.values)) {
            if let Part::Colors(name) = part
                && !seen.contains(name)
            {
                *value = values.len() as u8 - 1;
            }
        }
        face
    }

    /// The names of colours that a face shows.
    fn seen(&self, face: &[u8]) -> BTreeSet<&'a str> {
        let variants = self.face(face).variants;
        let drawn = variants
            .into_iter()
            .filter_map(|(component, variant)| Some(&self.style.components[component].variants[variant?].elements));
        drawn.fold(self.seen_without(), |seen, elements| &seen | &colors(elements))
    }

    /// The names of colours that every face shows.
    fn always_seen(&self) -> BTreeSet<&'a str> {
        let mut seen = self.seen_without();
        for (part, likely) in &self.parts {
            let Part::Component(name) = part else { continue };
            let variants = self.style.components[*name].variants.values().map(|variant| colors(&variant.elements));
            if let Some(of_all) = variants.reduce(|all, one| &all & &one)
                && *likely == 100
            {
                seen.extend(of_all);
            }
        }
        seen
    }

    /// The names of colours that do not depend on any component.
    fn seen_without(&self) -> BTreeSet<&'a str> {
        let mut seen = colors(&self.style.canvas.elements);
        seen.insert(BACKGROUND);
        seen
    }

    /// The face that has these values.
    pub fn face(&self, values: &[u8]) -> Face<'a> {
        let mut face = Face { variants: BTreeMap::new(), colors: BTreeMap::new() };
        for (((part, _), all), &value) in self.parts.iter().zip(&self.values).zip(values) {
            let value = Some(all[usize::from(value)]).filter(|&value| value != NONE);
            match part {
                Part::Component(name) => {
                    face.variants.insert(name, value);
                }
                Part::Colors(name) => {
                    face.colors.extend(value.map(|value| (*name, value)));
                }
            }
        }
        face
    }
}

/// The names of colours in elements and all that is in them, but for components.
fn colors(elements: &[Element]) -> BTreeSet<&str> {
    let own = elements.iter().flat_map(|element| element.attributes.values()).filter_map(|value| match value {
        Value::Color { name } => Some(name.as_str()),
        Value::Text(_) => None,
    });
    let inner = elements.iter().flat_map(|element| colors(&element.children));
    own.chain(inner).collect()
}

/// `smileTeeth` as words: `smile teeth`.
pub fn plain(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
