//! Pictures put into a model file, for a model that reads one: its boards then have something to show.

use edgegen_runtime::graph::{Input, Node, Shape, Source};
use edgegen_runtime::pictures::RUNS_ROW;
use edgegen_runtime::{Feed, Model, Picture};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::pack::{append, assemble};

/// Pixels that a packet stands for at most.
const MOST_PIXELS: usize = 128;

/// The model, portable or packed, with `pictures` in place of those that it may have: bytes of the shape
/// [`Model::fed`], `[h, w, c]`. Without pictures it gets none. They lie there as they are or in runs, whichever is
/// smaller.
///
/// # Errors
///
/// [`ExportError::Picture`] for a model that reads no picture or a picture of another size, [`ExportError::Limit`] for
/// too many.
pub fn with_pictures(file: &ModelFile, pictures: &[Vec<u8>]) -> Result<ModelFile, ExportError> {
    let model = Model::parse_any(file.bytes())?;
    let is_fed = |input: &Input| input.source() == Some(Source::Fed);
    let Some(index) = model.nodes().iter().position(|node| node.parameters().is_some_and(is_fed)) else {
        return Err(ExportError::Picture {
            expected: "a model that reads a picture",
            found: "one that reads none".into(),
        });
    };
    let mut nodes = model.nodes().to_vec();
    let node = &mut nodes[index];
    if let Some(other) = pictures.iter().find(|picture| picture.len() != node.shape.len()) {
        let found = format!("one of {} bytes for a model that reads {}", other.len(), node.shape);
        return Err(ExportError::Picture { expected: "a picture of the model's size", found });
    }
    let count = pictures.len();
    let limit = usize::from(u16::MAX);
    let number = u16::try_from(count).map_err(|_| ExportError::Limit { what: "pictures", limit, found: count })?;
    let mut data = without(&model, node).to_vec();
    let (plain, runs) = (pictures.concat(), in_runs(pictures, node.shape));
    // The smaller of the two.
    let runs = runs.filter(|runs| runs.len() < plain.len());
    let dims = u16::from(runs.is_some());
    let values = if count == 0 { 0 } else { append(&mut data, runs.unwrap_or(plain)) };
    let (source, prior) = (Source::Fed as u16, 0);
    node.set_parameters(&Input { source, prior, dims, pictures: number, values });
    let made = ModelFile::new(&assemble(&nodes, &model.about(), model.packing(), &data));
    Model::parse_any(made.bytes())?;
    Ok(made)
}

/// The bytes of a picture that a model brings along, `[h, w, c]`.
pub fn picture_bytes(picture: Picture<'_>) -> Vec<u8> {
    let (shape, mut rows) = (picture.shape(), picture.rows());
    let mut bytes = vec![0; shape.len()];
    for (y, row) in (0..).zip(bytes.chunks_exact_mut(shape.row_len().max(1))) {
        rows.row(y, row);
    }
    bytes
}

/// The data without the pictures of `node` where they stand at its end, as [`with_pictures`] puts them.
fn without<'a>(model: &Model<'a>, node: &Node) -> &'a [u8] {
    let (Some(input), Some(pictures)) = (node.parameters::<Input>(), model.pictures()) else { return model.data() };
    let (start, len) = (input.values as usize, pictures.bytes().len());
    if start + len == model.data().len() { &model.data()[..start] } else { model.data() }
}

/// Pictures of a shape in runs, as [`edgegen_runtime::pictures`] tells; `None` where there are none, or their rows are
/// longer than those of runs may be.
fn in_runs(pictures: &[Vec<u8>], shape: Shape) -> Option<Vec<u8>> {
    if pictures.is_empty() || shape.row_len() > RUNS_ROW {
        return None;
    }
    let packed: Vec<Vec<u8>> = pictures.iter().map(|picture| packed(picture, shape)).collect();
    let mut end = 4 * (packed.len() as u32 + 1);
    let mut bytes = end.to_le_bytes().to_vec();
    for picture in &packed {
        end += picture.len() as u32;
        bytes.extend(end.to_le_bytes());
    }
    Some([bytes, packed.concat()].concat())
}

/// The packets of a picture: groups of equal pixels are runs where that is smaller, all others lie as they are.
fn packed(picture: &[u8], shape: Shape) -> Vec<u8> {
    let mut packets = Vec::new();
    for row in picture.chunks_exact(shape.row_len()) {
        let pixels: Vec<&[u8]> = row.chunks_exact(shape.c.into()).collect();
        let mut others = Vec::new();
        for group in pixels.chunk_by(|left, right| left == right) {
            // Two bytes are what a run costs besides its pixel, where it stands between others.
            if (group.len() - 1) * usize::from(shape.c) < 2 {
                others.extend(group);
                continue;
            }
            put_others(&mut packets, &mut others);
            for run in group.chunks(MOST_PIXELS) {
                packets.push(127 + run.len() as u8);
                packets.extend(run[0]);
            }
        }
        put_others(&mut packets, &mut others);
    }
    packets
}

/// The packets of pixels that are no run.
fn put_others(packets: &mut Vec<u8>, others: &mut Vec<&[u8]>) {
    for some in others.chunks(MOST_PIXELS) {
        packets.push(some.len() as u8 - 1);
        packets.extend(some.concat());
    }
    others.clear();
}
