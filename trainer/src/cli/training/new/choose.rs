//! What to train of which pictures, and why.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use edgegen_sim::boards::Panel;
use edgegen_sim::spec::PanelColors;

use crate::data::{Account, Dataset};

/// Fewer pictures are learned by heart at best.
const LEAST: usize = 16;
/// A class with fewer pictures is no class to ask for.
const LEAST_OF_CLASS: usize = 10;
/// Up to so many pictures, augmentation that the gradient goes through pays (models/README.md).
const FEW: usize = 300;
/// Sides that are tried of convolutional nets, the largest first: four to seven pixels, doubled once to four times.
const SIDES: [usize; 9] = [64, 56, 48, 40, 32, 28, 24, 16, 8];
/// Images with a smaller side, there is nothing to double for, are made by perceptrons.
const LEAST_SIDE: usize = SIDES[SIDES.len() - 1];
/// The least `[data] size`.
const LEAST_PERCEPTRON: usize = 4;
/// Sizes of a network that are tried, in quarters.
const QUARTERS: [usize; 4] = [4, 3, 2, 1];
/// Widths of a perceptron's hidden layers; how it trains, as those of the shipped icons do.
const HIDDEN: [usize; 2] = [80, 64];
const PERCEPTRON_RATES: &str =
    "lr_generator = 1e-3\nlr_critic = 1e-3\nbeta1 = 0.0\nbeta2 = 0.99\nschedule = \"cosine\"\nema = 0.998\n";
const PERCEPTRON_GAME: &str = "prior = \"gaussian\"\nmaxout_pieces = 0\nkeep_input = 1.0\nkeep_hidden = 1.0\n\
                               loss = \"relativistic\"\npenalty = { zero-centred = 0.1 }\n";
/// A channel of a pixel differs from another by more than this in a picture with colours.
const COLOURED: u8 = 12;

/// What pictures and panel ask for.
pub struct Facts {
    count: usize,
    classes: Vec<usize>,
    /// Share of pixels with colour.
    coloured: f64,
    /// Pixels of the shorter side of the largest picture; `None` where sources tell no size.
    side: Option<usize>,
    is_colour_panel: bool,
    panel_side: usize,
    panel: String,
}

impl Facts {
    /// Looks at pictures of three channels.
    ///
    /// # Errors
    ///
    /// If there are fewer than [`LEAST`], or the panel has less than [`LEAST_PERCEPTRON`] pixels a side.
    pub fn new(dataset: &Dataset, account: &Account, panel: &Panel) -> Result<Self> {
        ensure!(
            dataset.len() >= LEAST,
            "expected at least {LEAST} pictures to learn from, found {} in {}: add more",
            dataset.len(),
            dataset.name
        );
        let panel_side = panel.width.min(panel.height) as usize;
        ensure!(
            panel_side >= LEAST_PERCEPTRON,
            "expected a panel of at least {LEAST_PERCEPTRON} pixels a side, found {}: choose another board or --panel",
            panel.title
        );
        let is_coloured = |pixel: &&[u8]| {
            pixel.iter().max() > pixel.iter().min().map(|least| least.saturating_add(COLOURED)).as_ref()
        };
        let coloured = dataset.images.chunks(3).filter(is_coloured).count() as f64 / (dataset.images.len() / 3) as f64;
        Ok(Self {
            count: dataset.len(),
            classes: account.classes.iter().map(|class| class.count).collect(),
            coloured,
            side: account.sizes.map(|[_, [h, w]]| h.min(w)),
            is_colour_panel: matches!(panel.colors, PanelColors::Rgb565 | PanelColors::Rgb888),
            panel_side,
            panel: panel.title.clone(),
        })
    }

    /// The largest side of [`SIDES`] that pictures and panel have pixels for, or what there is where that is less.
    fn largest(&self) -> usize {
        let most = self.side.unwrap_or(28).min(self.panel_side).max(LEAST_PERCEPTRON);
        SIDES.into_iter().find(|side| *side <= most).unwrap_or(most)
    }
}

/// A recipe that might do.
pub struct Choice {
    system: &'static str,
    classes: usize,
    side: usize,
    channels: usize,
    is_pixel_art: bool,
    batch: usize,
    shift: usize,
    is_augmented: bool,
    /// The kind of augmentation.
    augment: &'static str,
    latent: usize,
    /// Channels of the generator's maps, or of a perceptron its hidden layers.
    widths: Vec<usize>,
    critic: Vec<usize>,
    /// Whether there is no smaller one.
    pub is_least: bool,
    /// What was chosen, as `table.key = value`, and why.
    pub reasons: Vec<[String; 2]>,
}

impl Choice {
    /// All that might do, the best first: smaller networks before smaller pictures.
    pub fn all(facts: &Facts) -> Vec<Self> {
        let largest = facts.largest();
        let sides = match largest {
            ..LEAST_SIDE => vec![largest],
            _ => SIDES.into_iter().filter(|side| *side <= largest).collect(),
        };
        let mut all: Vec<Self> =
            sides.into_iter().flat_map(|side| QUARTERS.map(|quarters| Self::new(facts, side, quarters))).collect();
        if let Some(last) = all.last_mut() {
            last.is_least = true;
        }
        all
    }

    fn new(facts: &Facts, side: usize, quarters: usize) -> Self {
        let Facts { count, classes, coloured, panel, .. } = facts;
        let mut reasons: Vec<[String; 2]> = Vec::new();
        let mut say = |what: String, why: String| reasons.push([what, why]);
        let has_classes = classes.len() >= 2 && classes.iter().all(|count| *count >= LEAST_OF_CLASS);
        let is_perceptron = side < LEAST_SIDE;
        let system = match has_classes {
            _ if is_perceptron => "gan",
            true => "cgan",
            false => "dcgan",
        };
        let kinds = match classes.len() {
            0 | 1 => "one kind of pictures: a generator without classes".to_owned(),
            number if has_classes => {
                format!("{number} folders of at least {LEAST_OF_CLASS} pictures: classes to ask for")
            }
            number => format!("of {number} folders one has fewer than {LEAST_OF_CLASS} pictures, too few to ask for"),
        };
        say(
            format!("system = \"{system}\""),
            match is_perceptron {
                true => format!("perceptrons, as {side}×{side} pixels are too few for convolutions; {kinds}"),
                false => kinds,
            },
        );
        let is_pixel_art = facts.side == Some(side) && side <= 32;
        say(
            format!("data.size = {side}"),
            match facts.side {
                Some(own) if own == side => "as large as the pictures are".to_owned(),
                Some(own) => format!(
                    "the pictures have up to {own} pixels a side, the panel ({panel}) {}{}",
                    facts.panel_side,
                    if facts.largest() > side { "; more did not fit, or took too long" } else { "" }
                ),

                None => "the usual size of arrays of images".to_owned(),
            },
        );
        let is_colour = *coloured > 0.01 && facts.is_colour_panel;
        let channels = if is_colour { 3 } else { 1 };
        say(
            format!("data.channels = {channels}"),
            match (is_colour, facts.is_colour_panel) {
                (true, _) => format!("{:.0} % of the pixels have a colour", 100.0 * coloured),
                (_, true) => "the pictures are grey".to_owned(),
                _ => "the panel shows no colours".to_owned(),
            },
        );
        let batch = if side > 32 || *count < 1_000 { 32 } else { 64 }.min(*count);
        say(format!("train.batch = {batch}"), format!("{count} pictures of {side}×{side}"));
        let is_augmented = *count < FEW;
        let shift = if is_augmented { side / 32 } else { 0 };
        // One pixel to the side is a fifth of five.
        let (augment, change) = if is_perceptron { ("colour", "lit otherwise") } else { ("translation", "moved") };
        let why = match is_augmented {
            true => format!("{count} pictures are few: the critic would know them by heart, so both see them {change}"),
            false => format!("{count} pictures are enough without"),
        };
        let list = if is_augmented { format!("[\"{augment}\"]") } else { "[]".to_owned() };
        say(format!("{system}.tricks.augment = {list}"), why);
        let doublings = match side {
            ..16 => 1,
            16..32 => 2,
            32..64 => 3,
            _ => 4,
        };
        let widths: Vec<usize> = if is_perceptron {
            HIDDEN.map(|width| width * quarters / 4).to_vec()
        } else {
            let first = [32, 64, 128, 128][doublings - 1] * quarters / 4;
            (0..doublings).map(|at| (first >> at).next_multiple_of(4)).collect()
        };
        say(
            format!("{system}.{} = {widths:?}", if is_perceptron { "hidden" } else { "channels" }),
            match quarters {
                4 => "the full width, which fits".to_owned(),
                _ => format!("{} % of the full width: more did not fit, or took too long", 25 * quarters),
            },
        );
        let critic = match doublings {
            _ if is_perceptron => vec![256, 256],
            1 => vec![32, 64],
            2 => vec![32, 64, 64],
            3 => vec![32, 64, 96],
            _ => vec![24, 48, 96, 128],
        };
        let latent = match doublings {
            _ if is_perceptron => 10,
            ..3 => 32,
            _ => 48,
        };
        let classes = if has_classes { classes.len() } else { 0 };
        Self {
            system,
            classes,
            side,
            channels,
            is_pixel_art,
            batch,
            shift,
            is_augmented,
            augment,
            latent,
            widths,
            critic,
            is_least: false,
            reasons,
        }
    }

    /// In few words.
    pub fn title(&self) -> String {
        let what = if self.is_perceptron() { "hidden layers" } else { "channels" };
        format!("{0}×{0} with {what} {1:?}", self.side, self.widths)
    }

    fn is_perceptron(&self) -> bool {
        self.side < LEAST_SIDE
    }

    /// Steps that make as good as all there is to have.
    pub fn most_steps(&self) -> u64 {
        if self.is_perceptron() { 60_000 } else { 12_000 }
    }

    /// Steps whose time is taken.
    pub fn timed_steps(&self) -> u64 {
        if self.is_perceptron() { 100 } else { 8 }
    }

    /// The recipe, bare.
    pub fn recipe(&self, data: &str, skip_bad: bool, steps: u64) -> String {
        self.commented(data, skip_bad, steps, "", &[])
    }

    /// The recipe, with what `reasons` say of a key above it.
    pub fn commented(&self, data: &str, skip_bad: bool, steps: u64, title: &str, reasons: &[[String; 2]]) -> String {
        let Self { system, side, channels, batch, shift, latent, widths, critic, .. } = self;
        let why = |key: &str| {
            let start = format!("{key} = ");
            let found = reasons.iter().find(|[what, _]| what.starts_with(&start));
            found.map_or_else(String::new, |[_, why]| format!("# {why}\n"))
        };
        let mut text = if title.is_empty() { String::new() } else { format!("# {}\n", title.replace('\n', " ")) };
        let _ = write!(text, "{}system = \"{system}\"\nseed = 1\n\n[data]\n", why("system"));
        let _ = writeln!(text, "name = {}", toml::Value::String(data.to_owned()));
        let _ = writeln!(text, "{}size = {side}\n{}channels = {channels}", why("data.size"), why("data.channels"));
        if self.is_pixel_art {
            text += "resize = \"nearest\"\n";
        }
        if skip_bad {
            text += "skip_bad = true\n";
        }
        let _ = write!(
            text,
            "\n[train]\n{}steps = {steps}\n{}batch = {batch}\n# true, where a mirrored picture is as good: not of letters\n\
             flip = false\nshift = {shift}\n{rates}sample_every = {every}\n\
             checkpoint_every = {every}\n\n[{system}]\n",
            why("train.steps"),
            why("train.batch"),
            rates = if self.is_perceptron() { PERCEPTRON_RATES } else { "lr_generator = 5e-4\nlr_critic = 5e-4\n" },
            every = (steps / 20).max(50),
        );
        if self.classes > 0 {
            let _ = writeln!(text, "classes = {}", self.classes);
        }
        let layers = if self.is_perceptron() { "hidden" } else { "channels" };
        let _ = writeln!(text, "latent = {latent}\n{}{layers} = {widths:?}", why(&format!("{system}.{layers}")));
        let _ = writeln!(text, "critic_{layers} = {critic:?}");
        if self.is_perceptron() {
            text += PERCEPTRON_GAME;
        }
        if self.is_augmented {
            let augment = format!("{system}.tricks.augment");
            let _ = write!(text, "\n[{system}.tricks]\n{}augment = [\"{}\"]\n", why(&augment), self.augment);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn facts(count: usize, classes: &[usize], side: usize) -> Facts {
        Facts {
            count,
            classes: classes.to_vec(),
            coloured: 0.5,
            side: Some(side),
            is_colour_panel: true,
            panel_side: 240,
            panel: "a panel".to_owned(),
        }
    }

    #[test]
    fn whatever_is_chosen_is_a_recipe() {
        for side in [3, 4, 5, 7, 8, 9, 16, 31, 48, 700] {
            for classes in [&[][..], &[50, 50], &[3, 90]] {
                for choice in Choice::all(&facts(100, classes, side)) {
                    let text = choice.commented("my \"pictures\"", true, 3_000, "A title.", &choice.reasons);
                    let recipe = Recipe::parse(&text).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
                    assert!(recipe.data.size.h <= side.max(4) && recipe.data.name == "my \"pictures\"", "{text}");
                    recipe.check().unwrap_or_else(|error| panic!("{error:#}\n{text}"));
                    let asks = recipe.settings.get("classes").and_then(toml::Value::as_integer).unwrap_or(0);
                    assert_eq!(asks, if classes == [50, 50] { 2 } else { 0 }, "{text}");
                    assert_eq!(recipe.system == "gan", side < 8, "{text}");
                }
            }
        }
    }

    #[test]
    fn it_follows_pictures_and_panel() {
        let best = |facts: &Facts| {
            let choice = Choice::all(facts).remove(0);
            (choice.side, choice.channels, choice.is_augmented, choice.is_pixel_art)
        };
        assert_eq!(best(&facts(5_000, &[], 700)), (64, 3, false, false));
        assert_eq!(best(&facts(120, &[], 16)), (16, 3, true, true));
        assert_eq!(
            best(&Facts { panel_side: 64, is_colour_panel: false, ..facts(120, &[], 50) }),
            (48, 1, true, false)
        );
        assert_eq!(best(&Facts { coloured: 0.0, side: None, ..facts(120, &[], 50) }), (28, 1, true, false));
        // A panel of five pixels, however large the pictures.
        let leds = Facts { panel_side: 5, is_colour_panel: false, ..facts(120, &[60, 60], 700) };
        assert_eq!(best(&leds), (5, 1, true, false));
        let small = Choice::all(&leds);
        assert!(small.iter().all(|choice| choice.system == "gan" && choice.classes == 2 && choice.shift == 0));
        assert!(small.last().is_some_and(|last| last.is_least && last.widths == [20, 16]) && small.len() == 4);
        let all = Choice::all(&facts(120, &[], 28));
        assert!(all.last().is_some_and(|last| last.is_least && last.side == 8) && !all[0].is_least);
    }
}
