//! Pictures put into a model file, for a model that reads one: its boards then have something to show.

use edgegen_runtime::Model;
use edgegen_runtime::graph::{Input, Node, Source};

use crate::error::ExportError;
use crate::file::ModelFile;
use crate::pack::{append, assemble};

/// The model, portable or packed, with `pictures` in place of those that it may have: bytes of the shape
/// [`Model::fed`], `[h, w, c]`. Without pictures it gets none.
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
    let values = if count == 0 { 0 } else { append(&mut data, pictures.concat()) };
    let (source, prior) = (Source::Fed as u16, 0);
    node.set_parameters(&Input { source, prior, dims: 0, pictures: number, values });
    let made = ModelFile::new(&assemble(&nodes, &model.about(), model.packing(), &data));
    Model::parse_any(made.bytes())?;
    Ok(made)
}

/// The data without the pictures of `node` where they stand at its end, as [`with_pictures`] puts them.
fn without<'a>(model: &Model<'a>, node: &Node) -> &'a [u8] {
    let Some(input) = node.parameters::<Input>().filter(|input| input.pictures > 0) else { return model.data() };
    let (start, len) = (input.values as usize, node.shape.len() * usize::from(input.pictures));
    if start + len == model.data().len() { &model.data()[..start] } else { model.data() }
}
