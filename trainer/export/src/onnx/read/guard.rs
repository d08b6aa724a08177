//! tract checks much of a file, but not all: on some contradictions it panics. Such a panic becomes an error like any
//! other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use tract_onnx::tract_hir::internal::{TractError, TractResult};

thread_local! {
    /// Whether a panic on this thread is caught and told by an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives, or an error where it panics. Nothing is printed then.
pub(super) fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !CAUGHT.get() {
                before(panic);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    // Nothing of what `work` has half done is used after a panic: all it gets is its own or read only.
    let result = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(TractError::msg(text.unwrap_or("a panic").to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded(|| -> TractResult<()> { panic!("no axis {}", 7) }).expect_err("it panics");
        assert_eq!(error.to_string(), "no axis 7");
        assert_eq!(guarded(|| Ok(1)).expect("no panic"), 1);
    }
}
