//! The sounds of English as espeak-ng names them, by what the mouth does.
//!
//! A frame's input is the phone before, the one that is spoken and the next, each by distinctive features: how and
//! where a consonant is made, how high and how far back the tongue is in a vowel, at its start and at its end. Phones
//! that sound alike so are near to each other, and a phone that is rare is learned from those that it resembles.

use anyhow::{Context, Result, ensure};

/// Numbers that describe a phone, each in [−1, 1].
pub const FEATURES: usize = 23;

/// Stands where nothing is spoken.
pub const SILENCE: &str = "_";

/// How a consonant is made.
const STOP: usize = 2;
/// The place of it among the features, as of [`VOICED`].
pub const FRICATIVE: usize = 3;
const NASAL: usize = 4;
const APPROXIMANT: usize = 5;
const LATERAL: usize = 6;
const SIBILANT: usize = 7;
/// Where.
const LIPS: usize = 8;
const TEETH: usize = 9;
const RIDGE: usize = 10;
const PALATE: usize = 11;
const VELUM: usize = 12;
const GLOTTIS: usize = 13;
/// Whether the vocal folds swing: the place of it among the features.
pub const VOICED: usize = 1;
const SILENT: usize = 0;
const VOWEL: usize = 14;
/// Height, backness and rounding of a vowel at its start, then at its end.
const START: usize = 15;
const END: usize = 18;
const LONG: usize = 21;
const STRESSED: usize = 22;

/// Consonants: name, voiced, and what else they are.
const CONSONANTS: [(&str, bool, &[usize]); 26] = [
    ("p", false, &[STOP, LIPS]),
    ("b", true, &[STOP, LIPS]),
    ("t", false, &[STOP, RIDGE]),
    ("d", true, &[STOP, RIDGE]),
    ("k", false, &[STOP, VELUM]),
    ("g", true, &[STOP, VELUM]),
    ("?", false, &[STOP, GLOTTIS]),
    ("tS", false, &[STOP, FRICATIVE, SIBILANT, PALATE]),
    ("dZ", true, &[STOP, FRICATIVE, SIBILANT, PALATE]),
    ("f", false, &[FRICATIVE, LIPS, TEETH]),
    ("v", true, &[FRICATIVE, LIPS, TEETH]),
    ("T", false, &[FRICATIVE, TEETH]),
    ("D", true, &[FRICATIVE, TEETH]),
    ("s", false, &[FRICATIVE, SIBILANT, RIDGE]),
    ("z", true, &[FRICATIVE, SIBILANT, RIDGE]),
    ("S", false, &[FRICATIVE, SIBILANT, PALATE]),
    ("Z", true, &[FRICATIVE, SIBILANT, PALATE]),
    ("h", false, &[FRICATIVE, GLOTTIS]),
    ("m", true, &[NASAL, LIPS]),
    ("n", true, &[NASAL, RIDGE]),
    ("N", true, &[NASAL, VELUM]),
    ("l", true, &[APPROXIMANT, LATERAL, RIDGE]),
    ("r", true, &[APPROXIMANT, PALATE, RIDGE]),
    ("r-", true, &[APPROXIMANT, PALATE, RIDGE]),
    ("w", true, &[APPROXIMANT, LIPS, VELUM]),
    ("j", true, &[APPROXIMANT, PALATE]),
];

/// Vowels: name, whether long, and height (−1 open … 1 close), backness (−1 front … 1 back) and rounding, at the start
/// and at the end.
const VOWELS: [(&str, bool, [f32; 3], [f32; 3]); 37] = [
    ("@", false, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ("@2", false, [0.1, 0.0, 0.0], [0.1, 0.0, 0.0]),
    ("@5", false, [0.1, 0.1, 0.2], [0.1, 0.1, 0.2]),
    ("@L", false, [0.0, 0.2, 0.0], [0.3, 0.8, 0.0]),
    ("a#", false, [-0.3, 0.0, 0.0], [-0.3, 0.0, 0.0]),
    ("3", false, [-0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]),
    ("3:", true, [-0.2, 0.0, 0.0], [-0.2, 0.0, 0.0]),
    ("I", false, [0.7, -0.7, 0.0], [0.7, -0.7, 0.0]),
    ("I#", false, [0.6, -0.5, 0.0], [0.6, -0.5, 0.0]),
    ("I2", false, [0.7, -0.6, 0.0], [0.7, -0.6, 0.0]),
    ("i", false, [0.9, -0.9, 0.0], [0.9, -0.9, 0.0]),
    ("i:", true, [1.0, -1.0, 0.0], [1.0, -1.0, 0.0]),
    ("E", false, [-0.3, -0.8, 0.0], [-0.3, -0.8, 0.0]),
    ("E2", false, [-0.3, -0.8, 0.0], [-0.3, -0.8, 0.0]),
    ("a", false, [-0.9, -0.7, 0.0], [-0.9, -0.7, 0.0]),
    ("aa", false, [-0.9, -0.5, 0.0], [-0.9, -0.5, 0.0]),
    ("V", false, [-0.5, 0.3, 0.0], [-0.5, 0.3, 0.0]),
    ("0", false, [-0.9, 0.9, 0.8], [-0.9, 0.9, 0.8]),
    ("0#", false, [-0.6, 0.7, 0.6], [-0.6, 0.7, 0.6]),
    ("U", false, [0.7, 0.6, 0.7], [0.7, 0.6, 0.7]),
    ("u", false, [0.9, 0.8, 0.9], [0.9, 0.8, 0.9]),
    ("u:", true, [1.0, 0.8, 1.0], [1.0, 0.8, 1.0]),
    ("A:", true, [-1.0, 0.9, 0.0], [-1.0, 0.9, 0.0]),
    ("A@", true, [-1.0, 0.9, 0.0], [-1.0, 0.9, 0.0]),
    ("O:", true, [-0.3, 1.0, 1.0], [-0.3, 1.0, 1.0]),
    ("O@", true, [-0.3, 1.0, 1.0], [-0.3, 1.0, 1.0]),
    ("o@", true, [-0.3, 1.0, 1.0], [-0.3, 1.0, 1.0]),
    ("eI", true, [0.2, -0.9, 0.0], [0.7, -0.7, 0.0]),
    ("aI", true, [-0.9, -0.2, 0.0], [0.7, -0.7, 0.0]),
    ("OI", true, [-0.3, 1.0, 1.0], [0.7, -0.7, 0.0]),
    ("aU", true, [-0.9, -0.2, 0.0], [0.7, 0.6, 0.7]),
    ("oU", true, [0.0, 0.2, 0.3], [0.7, 0.6, 0.7]),
    ("i@", true, [0.7, -0.7, 0.0], [0.0, 0.0, 0.0]),
    ("i@3", true, [0.7, -0.7, 0.0], [-0.1, 0.1, 0.0]),
    ("e@", true, [-0.3, -0.8, 0.0], [0.0, 0.0, 0.0]),
    ("U@", true, [0.7, 0.6, 0.7], [0.0, 0.0, 0.0]),
    ("aI@", true, [-0.9, -0.2, 0.0], [0.0, 0.0, 0.0]),
];

/// A phone of a sentence: its name in one of the tables, and whether it bears stress.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Phone {
    /// As espeak-ng names it, without marks, or [`SILENCE`].
    pub name: String,
    /// Whether espeak-ng marks it as stressed.
    pub stressed: bool,
}

impl Phone {
    /// A pause.
    pub fn silence() -> Self {
        Self { name: SILENCE.to_owned(), stressed: false }
    }

    /// Its features.
    ///
    /// # Errors
    ///
    /// If neither table has its name.
    pub fn features(&self) -> Result<[f32; FEATURES]> {
        let mut features = [0.0; FEATURES];
        if self.name == SILENCE {
            features[SILENT] = 1.0;
        } else if let Some((_, voiced, others)) = CONSONANTS.iter().find(|(name, ..)| *name == self.name) {
            features[VOICED] = f32::from(u8::from(*voiced));
            others.iter().for_each(|&other| features[other] = 1.0);
        } else if let Some((_, long, start, end)) = VOWELS.iter().find(|(name, ..)| *name == self.name) {
            (features[VOWEL], features[VOICED]) = (1.0, 1.0);
            features[START..][..3].copy_from_slice(start);
            features[END..][..3].copy_from_slice(end);
            features[LONG] = f32::from(u8::from(*long));
            features[STRESSED] = f32::from(u8::from(self.stressed));
        } else {
            anyhow::bail!(
                "expected phones of espeak-ng's English, found \"{}\": use espeak-ng 1.51, or add it to data/speech/phones.rs",
                self.name
            );
        }
        Ok(features)
    }
}

/// The phones of what `espeak-ng -x --sep=_` prints, with a pause at both ends and between clauses.
///
/// # Errors
///
/// If it names phones that are unknown, or none.
pub fn parse(printed: &str) -> Result<Vec<Phone>> {
    let mut phones = vec![Phone::silence()];
    let pause = |phones: &mut Vec<Phone>| {
        if phones.last().is_some_and(|last| last.name != SILENCE) {
            phones.push(Phone::silence());
        }
    };
    for clause in printed.lines() {
        let names = clause.split([' ', '_']).filter(|name| !name.is_empty());
        for marked in names {
            let name = marked.trim_start_matches(['\'', ',', '%', '=', '|', ';']);
            if name.is_empty() {
                continue;
            }
            // A pause is "_:", of which the separator has taken a part.
            if name == ":" {
                pause(&mut phones);
                continue;
            }
            let phone = Phone { name: name.to_owned(), stressed: marked.starts_with(['\'', ',']) };
            phone.features().with_context(|| format!("in \"{clause}\""))?;
            phones.push(phone);
        }
        pause(&mut phones);
    }
    ensure!(phones.len() > 1, "expected phones from espeak-ng, found none: say a word");
    Ok(phones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_espeak_prints_becomes_phones() {
        let phones = parse(" D_@ k_w_'I_k_;__:__: %a#_n_d tS_,oU\n").unwrap();
        let names: Vec<&str> = phones.iter().map(|phone| &*phone.name).collect();
        assert_eq!(names, ["_", "D", "@", "k", "w", "I", "k", "_", "a#", "n", "d", "tS", "oU", "_"]);
        let stressed: Vec<usize> = (0..phones.len()).filter(|&at| phones[at].stressed).collect();
        assert_eq!(stressed, [5, 12]);
        let error = format!("{:#}", parse("D_@ q_'y").unwrap_err());
        assert!(error.contains("\"q\"") && error.contains("phones.rs"), "{error}");
        assert!(parse("\n").is_err());
    }

    #[test]
    fn phones_differ_and_stay_in_range() {
        let names = CONSONANTS.iter().map(|(name, ..)| *name).chain(VOWELS.iter().map(|(name, ..)| *name));
        let of = |name: &str| Phone { name: name.to_owned(), stressed: true }.features().unwrap();
        for name in names.clone() {
            assert!(of(name).iter().all(|value| value.abs() <= 1.0), "{name}");
            assert_eq!(names.clone().filter(|other| *other == name).count(), 1, "{name}");
        }
        assert_ne!(of("s"), of("z"));
        assert_ne!(of("i:"), of("I"));
        assert_eq!(of(SILENCE)[SILENT], 1.0);
    }
}
