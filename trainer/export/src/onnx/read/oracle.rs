//! The file as tract runs it, to compare everything with that is made of it.

use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::guard::guarded;
use super::inputs::Feed;
use super::load::one_line;
use crate::function::Function;
use crate::layers::Input;

/// A file that can be run.
pub struct Oracle {
    plan: Arc<TypedSimplePlan>,
    /// Inputs of the network.
    inputs: Vec<Input>,
    /// For each input of the file, with its type.
    feeds: Vec<(Feed, DatumType)>,
    /// For each value of the picture the place in the file's output.
    from: Vec<usize>,
    /// Whether the file gives logits.
    logits: bool,
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oracle").field("inputs", &self.inputs).field("feeds", &self.feeds).finish_non_exhaustive()
    }
}

impl Oracle {
    pub(super) fn new(
        model: TypedModel,
        inputs: Vec<Input>,
        feeds: Vec<(String, Feed)>,
        from: Vec<usize>,
        logits: bool,
    ) -> Result<Self, OnnxError> {
        let mut own = Vec::new();
        for outlet in &model.inputs {
            let feed = feeds.iter().find(|(name, _)| *name == model.node(outlet.node).name);
            if let (Some((_, feed)), Ok(fact)) = (feed, model.outlet_fact(*outlet)) {
                own.push((feed.clone(), fact.datum_type));
            }
        }
        // What tract cannot optimize it may still run.
        let optimized = guarded(|| model.clone().into_optimized());
        let plan = guarded(|| optimized.unwrap_or(model).into_runnable()).map_err(|error| failed(&error))?;
        Ok(Self { plan, inputs, feeds: own, from, logits })
    }

    /// Inputs of the network, in the order in which [`Oracle::run`] takes their values.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The picture, in the order C, H, W and in the range of the network, of one vector of values for each of the
    /// network's inputs, each in the order C, H, W.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Graph`] when tract cannot run the file, or the vectors have other lengths.
    pub fn run(&self, inputs: &[Vec<f32>]) -> Result<Vec<f32>, OnnxError> {
        let mut tensors = tvec!();
        for (feed, kind) in &self.feeds {
            let tensor = fed(feed, *kind, inputs);
            tensors.push(tensor.map_err(|error| failed(&error))?.into_tvalue());
        }
        let outputs = guarded(|| self.plan.run(tensors)).map_err(|error| failed(&error))?;
        let values = outputs[0].cast_to::<f32>().map_err(|error| failed(&error))?;
        let values = values.try_as_plain_ram().map_err(|error| failed(&error))?;
        let values = values.as_slice::<f32>().map_err(|error| failed(&error))?;
        let sigmoid = Function::sigmoid();
        let value = |&from: &usize| if self.logits { sigmoid.apply(values[from]) } else { values[from] };
        Ok(self.from.iter().map(value).collect())
    }
}

/// An input of the file.
fn fed(feed: &Feed, kind: DatumType, inputs: &[Vec<f32>]) -> TractResult<Tensor> {
    let values = |input: usize| inputs.get(input).context("an input has no values");
    let tensor = match feed {
        Feed::Values { input, view, affine: [scale, offset] } => {
            let values = values(*input)?;
            let value =
                |place: usize| values.get(place).map(|value| value * scale + offset).context("values are missing");
            let placed = view.places().into_iter().map(value).collect::<TractResult<Vec<f32>>>()?;
            Tensor::from_shape(&view.sizes(), &placed)?
        }
        Feed::Number { input, sizes } => {
            let values = values(*input)?;
            let largest = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0);
            tensor0(largest as i64).broadcast_to_shape(sizes)?
        }
    };
    Ok(tensor.cast_to_dt(kind)?.into_owned())
}

fn failed(error: &TractError) -> OnnxError {
    OnnxError::Graph {
        place: "the graph".into(),
        expected: "a file that tract runs".into(),
        found: one_line(&error.root_cause().to_string()),
        remedy: "report the file".into(),
    }
}
