//! Whether what a recipe trains will fit a board, before it is trained.

use anyhow::{Context, Result, ensure};
use edgegen_export::Label;
use edgegen_runtime::Model;
use edgegen_sim::Board;

use crate::cli::fit::{Fit, pack_for};
use crate::cli::{classes, words};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::{device, lower, systems};

/// Inputs that the ranges of a generator without training are calibrated on: its size does not depend on them.
const EXAMPLES: usize = 8;

/// The generator of `recipe`, with random weights, on a board: neither flash nor RAM depend on what it learns.
///
/// # Errors
///
/// If the system makes no generator, or one that does not export.
pub fn fit(recipe: &Recipe, board: &Board) -> Result<Fit> {
    let kind = systems::find(&recipe.system)?;
    let generator = (kind.generator)(recipe, &device::open("flex")?, &mut Rng::new(recipe.seed, 0))
        .with_context(|| format!("nothing for the {}", board.name))?;
    let names = recipe.data.classes.join("\n");
    let mut metadata = vec![("system", &*recipe.system), ("data", &*recipe.data.name)];
    if !names.is_empty() {
        metadata.push((classes::FACT, &names));
    }
    let words = words::fact(if generator.more.is_empty() { &[] } else { &recipe.data.attributes });
    if !words.is_empty() {
        metadata.push((Model::WORDS, &words));
    }
    let label = Label { name: "model", metadata: &metadata };
    let exported = edgegen_export::export(&lower::lower(&generator)?, EXAMPLES, label)?;
    Fit::new(board, board.cpu, &pack_for(&exported.file, board.cpu)?)
}

/// Refuses a recipe whose generator would not fit.
///
/// # Errors
///
/// As [`fit`], or if flash or RAM are missing: says how many bytes, and what to change.
pub fn check(recipe: &Recipe, board: &Board) -> Result<Fit> {
    let fit = fit(recipe, board)?;
    ensure!(
        fit.fits,
        "what this recipe trains would not fit the {}: {}; {}",
        board.name,
        fit.verdict(),
        fit.advice.join("; ")
    );
    Ok(fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::{project, read_model};
    use edgegen_sim::boards;

    #[test]
    fn it_is_as_large_before_training_as_after() {
        let recipe = Recipe::load(&project().join("models/emoji-dcgan/recipe.toml")).unwrap();
        let board = boards::find("pico").unwrap();
        let before = check(&recipe, &board).unwrap();
        let trained = read_model(&project().join("models/emoji-dcgan/model.egm")).unwrap();
        let after = Fit::new(&board, board.cpu, &pack_for(&trained, board.cpu).unwrap()).unwrap();
        assert_eq!(before.ram, after.ram);
        assert!(
            before.flash[0].abs_diff(after.flash[0]) < 64,
            "{:?} and {:?}: names alone differ",
            before.flash,
            after.flash
        );

        let small = boards::find("lm3s6965evb").unwrap();
        let refused = check(&recipe, &small).unwrap_err().to_string();
        assert!(
            refused.contains("would not fit the lm3s6965evb: ") && refused.contains("of flash missing"),
            "{refused}"
        );
        assert!(refused.contains("fewer channels there"), "{refused}");
        let judge = Recipe::load(&project().join("trainer/judges/fashion-mnist/recipe.toml")).unwrap();
        assert!(check(&judge, &board).is_err());
    }
}
