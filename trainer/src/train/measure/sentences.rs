//! How good a translator is while it trains: whether sentences come back, which needs no pairs and chooses a model, and
//! beside it what only pairs tell, which chooses nothing.

use burn::tensor::Device;

use super::{STREAM, Values};
use crate::data::{self, Pairs, Split};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::systems::Generator;
use crate::translate::{Figures, round_trip, sentences, translated};

/// Sentences of each language that go there and back, and test pairs, at most.
const COUNT: usize = 200;

/// What a translator is measured with.
pub(in crate::train) struct Measure {
    /// Sentences of what is read and of what should be made.
    own: [Vec<Vec<u8>>; 2],
    /// Test pairs, where the data has some.
    pairs: Option<[Vec<Vec<u8>>; 2]>,
}

impl Measure {
    /// Chooses training sentences of both sets, and test pairs.
    pub(in crate::train) fn new(recipe: &Recipe, pairs: &Pairs) -> Self {
        let mut rng = Rng::new(recipe.seed, STREAM);
        let own = [&pairs.inputs, &pairs.targets].map(|set| {
            let mut all = sentences(set, set.len());
            rng.shuffle(&mut all);
            all.truncate(COUNT);
            all
        });
        let tested = data::load_unpaired(&recipe.data, Split::Test, &|_, _| true).ok();
        let pairs = tested.filter(|(pairs, _)| pairs.matched);
        let pairs = pairs.map(|(Pairs { inputs, targets, .. }, _)| [inputs, targets].map(|set| sentences(&set, COUNT)));
        Self { own, pairs }
    }

    pub(in crate::train) fn note(&self) -> String {
        let pairs = self.pairs.as_ref().map_or(0, |[inputs, _]| inputs.len());
        format!(
            "round trips of {} and {} training sentences; beside them {pairs} test pairs",
            self.own[0].len(),
            self.own[1].len()
        )
    }

    /// The means over both directions. Draws no random number.
    pub(in crate::train) fn of(&self, forth: &Generator, back: &Generator, device: &Device) -> Values {
        let ways = [[forth, back], [back, forth]];
        let come_back =
            self.own.iter().zip(ways).map(|(own, [there, here])| {
                round_trip(&translated(here, &translated(there, own, device), device), own)
            });
        let mut values = vec![("round_trip", come_back.sum::<f64>() / 2.0)];
        if let Some([inputs, targets]) = &self.pairs {
            let figures = [(forth, inputs, targets), (back, targets, inputs)]
                .map(|(way, read, meant)| Figures::of(&translated(way, read, device), meant));
            let mean = |of: fn(&Figures) -> f64| figures.iter().map(of).sum::<f64>() / 2.0;
            values.extend([("bleu", mean(|figures| figures.bleu)), ("accuracy", mean(|figures| figures.accuracy))]);
        }
        values
    }
}
