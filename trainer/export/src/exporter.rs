//! The whole way from a network to a model file, and images of one.

use edgegen_runtime::graph::Width;
use edgegen_runtime::kernels::{Kernel, Native};
use edgegen_runtime::latent::Style;
use edgegen_runtime::{Generator, Packing, Point, Rows, Still};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::layers::{Input, Network};
use crate::pack::Label;
use crate::repack::repack;
use crate::{calibrate, centre, fold, pack, quantize, stage};

/// Seeds that ranges are calibrated with start here, far from those that people draw.
pub const CALIBRATED: u64 = 0xCA11_B8A7_E000_0000;

/// The first seed of those on which a model is compared with its network, so that the figures of two exports are of the
/// same images.
pub const COMPARED: u64 = 1_000_000;

/// A packed model, with what the file does not tell.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub file: ModelFile,
    /// The float stages that it was made from, a node each.
    pub staged: stage::Staged,
    /// What the codes of each stage's output stand for.
    pub codes: Vec<calibrate::Codes>,
}

/// Exports a network: folds, calibrates on the inputs of `count` seeds, quantizes, plans and packs it. Where it reads
/// images, be it its own, [`export_with`] calibrates on those that it will see; here it sees pictures that stand for
/// none.
///
/// # Errors
///
/// [`ExportError`] says which layer does not fit, and why.
pub fn export(network: &Network, count: usize, label: Label<'_>) -> Result<Exported, ExportError> {
    export_with(network, &calibration(network, count), label)
}

/// The inputs of `count` seeds that [`export`] calibrates on.
pub fn calibration(network: &Network, count: usize) -> Vec<Vec<Vec<f32>>> {
    points(network, count, CALIBRATED).map(|point| network.inputs_at(point)).collect()
}

/// The points of `count` seeds from `seed` on. Where styles can be mixed every other has one, in all layers behind one
/// layer or another, as while a generator trains.
pub(crate) fn points(network: &Network, count: usize, seed: u64) -> impl Iterator<Item = Point> {
    let mix = |input: &Input| if let Input::Mix { layers } = input { Some(*layers) } else { None };
    let layers = network.inputs().find_map(mix);
    (0..count as u64).map(move |index| {
        let point = Point::seed(seed + index);
        let Some(layers) = layers.filter(|_| index % 2 == 1) else { return point };
        let [first, end] = [(index / 2 % layers.max(1) as u64) as u16, layers as u16];
        point.styled(Style::of(seed + count as u64 + index, first, end))
    })
}

/// As [`export`], calibrated on examples: for each the values of all inputs other than constants, in order, C × H × W.
///
/// # Errors
///
/// [`ExportError`] says which layer does not fit, and why.
pub fn export_with(network: &Network, examples: &[Vec<Vec<f32>>], label: Label<'_>) -> Result<Exported, ExportError> {
    export_as(network, examples, label, Width::Int8)
}

/// As [`export_with`], with the codes of a width of your choice between inputs and image. int16 takes twice the RAM and
/// three to five times the instructions, and is for what eight bits are too coarse.
///
/// # Errors
///
/// [`ExportError`] says which layer does not fit, and why.
pub fn export_as(
    network: &Network,
    examples: &[Vec<Vec<f32>>],
    label: Label<'_>,
    width: Width,
) -> Result<Exported, ExportError> {
    let mut staged = fold::fold(network)?;
    centre::centre(&mut staged, examples);
    let codes = calibrate::calibrate(&staged, examples, width)?;
    let stages = quantize::quantize(&staged, &codes)?;
    let file = pack::pack(&stages, label)?;
    Ok(Exported { file, staged, codes: stages.into_iter().map(|stage| stage.codes).collect() })
}

/// The model with its weights in the order of this computer, for drawing many images: the same bytes, ten to
/// twenty times faster on x86-64.
///
/// A model that is not portable stays as it is.
///
/// # Errors
///
/// Those of [`Model::parse_any`](edgegen_runtime::Model::parse_any).
pub fn native(file: &ModelFile) -> Result<ModelFile, ExportError> {
    let packing = Native::available().map_or(Packing::Portable, |_| Native::PACKING);
    match repack(file, packing) {
        Err(ExportError::AlreadyPacked { .. }) => Ok(file.clone()),
        repacked => repacked,
    }
}

/// The image of a seed, `[h, w, c]` bytes, by the runtime. For many images, draw from [`native`].
pub fn image(model: &edgegen_runtime::Model<'_>, seed: u64) -> Vec<u8> {
    image_at(model, Point::seed(seed))
}

/// The image of a point of latent space, as [`image`]; a model that reads an image sees one of its own, or black.
pub fn image_at(model: &edgegen_runtime::Model<'_>, point: Point) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    Generator::new(model, &mut arena).map_or(Vec::new(), |mut generator| all(generator.sample_at(point)))
}

/// What a model makes of `picture`, `[h, w, c]` bytes of [`Model::fed`](edgegen_runtime::Model::fed), where it reads
/// one; what is missing is black. The point is for its other inputs.
pub fn translated(model: &edgegen_runtime::Model<'_>, point: Point, picture: &[u8]) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    Generator::new(model, &mut arena)
        .map_or(Vec::new(), |mut generator| all(generator.translate(point, Still::new(picture))))
}

/// All rows, one behind the other.
fn all(mut rows: Rows<'_, '_>) -> Vec<u8> {
    let mut image = Vec::new();
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    image
}
