//! Normalizations written as x·k + (β − mean·k), which is what TensorFlow and Keras make of them: k is γ over the root
//! of the variance.

use tract_onnx::tract_hir::internal::*;

use super::OnnxError;
use super::features::{Each, Features, linear};
use super::reader::{Reader, Value};
use super::statistics::{Centred, Kind, Statistic};
use crate::function::{Binary, Function};

use Function::{Constant, X};

/// One of the two terms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    /// k, a function of the variance.
    pub by: Statistic,
    /// ±1 for ±mean·k, nothing for x·k.
    pub mean: Option<f32>,
    /// β.
    pub offset: Option<Arc<Tensor>>,
}

impl Reader<'_> {
    /// A binary operator that makes a term, or a normalization of two.
    pub fn term(&mut self, name: &str, a: &Value, b: &Value) -> Result<Option<Value>, OnnxError> {
        let made = |term: Term| Ok(Some(Value::Term(Box::new(term))));
        match (name, a, b) {
            ("Mul", Value::Features(whole), Value::Statistic(by))
            | ("Mul", Value::Statistic(by), Value::Features(whole))
                if by.kind == Kind::Variance && *whole == by.of =>
            {
                made(Term { by: (**by).clone(), mean: None, offset: None })
            }
            ("Mul", Value::Statistic(mean), Value::Statistic(by))
            | ("Mul", Value::Statistic(by), Value::Statistic(mean))
                if (mean.kind, by.kind) == (Kind::Mean, Kind::Variance) && mean.of == by.of && mean.axes == by.axes =>
            {
                match linear(&mean.function) {
                    Some([sign, 0.0]) if sign.abs() == 1.0 && mean.gains.is_empty() => {
                        made(Term { by: (**by).clone(), mean: Some(sign), offset: None })
                    }
                    _ => Ok(None),
                }
            }
            ("Add" | "Sub", Value::Known(offset), Value::Term(term))
                if term.mean.is_some() && term.offset.is_none() =>
            {
                let mean = term.mean.map(|sign| if name == "Sub" { -sign } else { sign });
                made(Term { mean, offset: Some(offset.clone()), ..(**term).clone() })
            }
            ("Add", Value::Term(term), Value::Known(offset)) if term.mean.is_some() && term.offset.is_none() => {
                made(Term { offset: Some(offset.clone()), ..(**term).clone() })
            }
            ("Add" | "Sub", Value::Term(a), Value::Term(b)) if a.by == b.by => {
                let (whole, mean) = if a.mean.is_none() { (a, b) } else { (b, a) };
                let wanted = if name == "Add" { Some(-1.0) } else { Some(1.0) };
                let right = whole.mean.is_none() && mean.mean == wanted && (name == "Add" || a.mean.is_none());
                if right && !(name == "Sub" && mean.offset.is_some()) { self.terms(&whole.by, mean) } else { Ok(None) }
            }
            _ => Ok(None),
        }
    }

    /// x·k + (β − mean·k)
    fn terms(&mut self, by: &Statistic, mean: &Term) -> Result<Option<Value>, OnnxError> {
        let centred = Centred { of: by.of.clone(), axes: by.axes.clone(), squared: false };
        let both = [Value::Centred(Box::new(centred)), Value::Statistic(Box::new(by.clone()))];
        let sizes = by.of.view.sizes();
        let made = self.binary("Mul", &both, &sizes)?;
        match &mean.offset {
            Some(offset) => self.binary("Add", &[made, Value::Known(offset.clone())], &sizes).map(Some),
            None => Ok(Some(made)),
        }
    }

    /// The negative of a term of the mean.
    pub fn negative(term: &Term, function: &Function) -> Option<Value> {
        let negative = *function == Function::binary(Binary::Mul, X, Constant(-1.0));
        let mean = term.mean.filter(|_| negative && term.offset.is_none())?;
        Some(Value::Term(Box::new(Term { mean: Some(-mean), ..term.clone() })))
    }

    /// A term as a tensor.
    pub fn settled_term(&mut self, term: &Term) -> Result<Features, OnnxError> {
        let by = Value::Features(self.settle(&term.by)?);
        let sizes = term.by.of.view.sizes();
        let mut made = match term.mean {
            None => self.binary("Mul", &[Value::Features(term.by.of.clone()), by], &sizes)?,
            Some(sign) => {
                let by = self.only_features(&by)?;
                let mut mean = self.mean(&term.by.of, &term.by.axes)?;
                mean.push(Each::Common(Function::affine(sign, 0.0)));
                let sizes = by.view.sizes();
                self.binary("Mul", &[Value::Features(mean), Value::Features(by)], &sizes)?
            }
        };
        if let Some(offset) = &term.offset {
            let sizes = self.only_features(&made)?.view.sizes();
            made = self.binary("Add", &[made, Value::Known(offset.clone())], &sizes)?;
        }
        self.only_features(&made)
    }
}
