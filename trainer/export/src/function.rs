//! Functions of one value: whatever is written down with one variable becomes one table of 256 codes, so neither the
//! runtime nor this crate has a list of activation functions.

use Binary::{Add, Div, Max, Min, Mul};
use Function::{Constant, X};
use Unary::{Abs, Erf, Exp, Log, Sqrt, Tanh};

/// A function of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// The value itself.
    X,
    /// A number, whatever the value.
    Constant(f32),
    /// A function of another one's result.
    Unary(Unary, Box<Function>),
    /// Two results together.
    Binary(Binary, Box<Function>, Box<Function>),
}

/// Functions of one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// |x|
    Abs,
    /// ⌈x⌉
    Ceil,
    /// cos x
    Cos,
    /// The error function.
    Erf,
    /// eˣ
    Exp,
    /// ⌊x⌋
    Floor,
    /// ln x
    Log,
    /// To the nearest whole number, ties to even.
    Round,
    /// −1, 0 or 1
    Sign,
    /// sin x
    Sin,
    /// √x
    Sqrt,
    /// tanh x
    Tanh,
}

/// Functions of two results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// a + b
    Add,
    /// a / b
    Div,
    /// 1 where a > b, else 0
    Greater,
    /// The greater of the two.
    Max,
    /// The lesser of the two.
    Min,
    /// a · b
    Mul,
    /// aᵇ
    Pow,
    /// a − b
    Sub,
}

impl Function {
    /// max(0, x)
    pub fn relu() -> Self {
        X.max(0.0)
    }

    /// x for x ≥ 0, `slope`·x below.
    pub fn leaky_relu(slope: f32) -> Self {
        Self::binary(Add, X.max(0.0), Self::binary(Mul, Constant(slope), X.min(0.0)))
    }

    /// tanh x
    pub fn tanh() -> Self {
        Self::unary(Tanh, X)
    }

    /// 1 / (1 + e⁻ˣ)
    pub fn sigmoid() -> Self {
        let exponential = Self::unary(Exp, Self::binary(Mul, Constant(-1.0), X));
        Self::binary(Div, Constant(1.0), Self::binary(Add, Constant(1.0), exponential))
    }

    /// x for x ≥ 0, α·(eˣ − 1) below (Clevert et al. 2016).
    pub fn elu(alpha: f32) -> Self {
        let below = Self::binary(Add, Self::unary(Exp, X.min(0.0)), Constant(-1.0));
        Self::binary(Add, X.max(0.0), Self::binary(Mul, Constant(alpha), below))
    }

    /// ln(1 + eˣ), written so that it does not overflow.
    pub fn softplus() -> Self {
        let small = Self::unary(Exp, Self::binary(Mul, Constant(-1.0), Self::unary(Abs, X)));
        Self::binary(Add, X.max(0.0), Self::unary(Log, Self::binary(Add, Constant(1.0), small)))
    }

    /// x · Φ(x) with the normal distribution function Φ (Hendrycks and Gimpel 2016).
    pub fn gelu() -> Self {
        let erf = Self::unary(Erf, Self::binary(Mul, X, Constant(core::f32::consts::FRAC_1_SQRT_2)));
        Self::binary(Mul, Self::binary(Mul, X, Constant(0.5)), Self::binary(Add, Constant(1.0), erf))
    }

    /// 1/√(x + ε), as normalizations take it of a variance. It is treated apart: see
    /// [`Function::inverse_sqrt_epsilon`].
    pub fn inverse_sqrt(epsilon: f32) -> Self {
        let root = Self::unary(Sqrt, Self::binary(Add, X, Constant(epsilon)));
        Self::binary(Div, Constant(1.0), root)
    }

    /// The ε of a function that [`Function::inverse_sqrt`] made.
    pub fn inverse_sqrt_epsilon(&self) -> Option<f32> {
        let Self::Binary(Div, _, root) = self else { return None };
        let Self::Unary(Sqrt, shifted) = &**root else { return None };
        let Self::Binary(Add, _, epsilon) = &**shifted else { return None };
        let Constant(epsilon) = **epsilon else { return None };
        (*self == Self::inverse_sqrt(epsilon)).then_some(epsilon)
    }

    /// `scale`·x + `offset`
    pub fn affine(scale: f32, offset: f32) -> Self {
        Self::binary(Add, Self::binary(Mul, X, Constant(scale)), Constant(offset))
    }

    /// A function of another one's result.
    pub fn unary(function: Unary, of: Self) -> Self {
        Self::Unary(function, Box::new(of))
    }

    /// Two results together.
    pub fn binary(function: Binary, a: Self, b: Self) -> Self {
        Self::Binary(function, Box::new(a), Box::new(b))
    }

    /// The greater of this and a number.
    #[must_use]
    pub fn max(self, other: f32) -> Self {
        Self::binary(Max, self, Constant(other))
    }

    /// The lesser of this and a number.
    #[must_use]
    pub fn min(self, other: f32) -> Self {
        Self::binary(Min, self, Constant(other))
    }

    /// This function of what `inner` gives.
    #[must_use]
    pub fn after(&self, inner: &Self) -> Self {
        match self {
            X => inner.clone(),
            Constant(value) => Constant(*value),
            Self::Unary(function, of) => Self::unary(*function, of.after(inner)),
            Self::Binary(function, a, b) => Self::binary(*function, a.after(inner), b.after(inner)),
        }
    }

    /// Its value at `x`.
    pub fn apply(&self, x: f32) -> f32 {
        match self {
            X => x,
            Constant(value) => *value,
            Self::Unary(function, of) => function.apply(of.apply(x)),
            Self::Binary(function, a, b) => function.apply(a.apply(x), b.apply(x)),
        }
    }
}

impl Unary {
    /// Its value; those of the platform differ in the last bit, and an export must not.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Abs => x.abs(),
            Self::Ceil => x.ceil(),
            Self::Cos => libm::cosf(x),
            Self::Erf => libm::erff(x),
            Self::Exp => libm::expf(x),
            Self::Floor => x.floor(),
            Self::Log => libm::logf(x),
            Self::Round => x.round_ties_even(),
            Self::Sign if x == 0.0 => 0.0,
            Self::Sign => x.signum(),
            Self::Sin => libm::sinf(x),
            Self::Sqrt => x.sqrt(),
            Self::Tanh => libm::tanhf(x),
        }
    }
}

impl Binary {
    /// Its value.
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Div => a / b,
            Self::Greater => f32::from(u8::from(a > b)),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Mul => a * b,
            Self::Pow => libm::powf(a, b),
            Self::Sub => a - b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_functions() {
        let near = |function: Function, x: f32, expected: f32| {
            let found = function.apply(x);
            assert!((found - expected).abs() < 1e-6, "{function:?} at {x}: {found}, not {expected}");
        };
        near(Function::relu(), -2.0, 0.0);
        near(Function::leaky_relu(0.2), -2.0, -0.4);
        near(Function::tanh(), 0.5, 0.462_117_16);
        near(Function::sigmoid(), 2.0, 0.880_797_1);
        near(Function::elu(1.0), -1.0, -0.632_120_55);
        near(Function::softplus(), 1.0, 1.313_261_6);
        near(Function::gelu(), 1.0, 0.841_344_7);
        near(Function::affine(2.0, 3.0), 4.0, 11.0);
    }

    #[test]
    fn composition() {
        let shifted = Function::affine(0.5, 0.5).after(&Function::tanh());
        assert_eq!(shifted.apply(0.3), 0.5 * libm::tanhf(0.3) + 0.5);
        assert_eq!(X.after(&Function::relu()), Function::relu());
    }
}
