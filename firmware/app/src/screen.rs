//! Displays that show what is drawn at once, and displays that must be told.

use core::cell::Cell;
use core::fmt;

use embedded_graphics::draw_target::DrawTarget;

use crate::PanelColor;

/// A panel for the show: a display, and how what is drawn on it becomes visible.
///
/// Every [`DrawTarget`] with a [`PanelColor`] is one that shows at once what is drawn on it. One that draws to memory, as most
/// drivers of SSD1306 panels do, is wrapped in [`Buffered`].
pub trait Screen {
    /// What is drawn on.
    type Display: DrawTarget<Color: PanelColor>;

    /// What is drawn on.
    fn display(&mut self) -> &mut Self::Display;

    /// Shows what was drawn. Called after each image.
    ///
    /// # Errors
    ///
    /// Those of the display.
    fn flush(&mut self) -> Result<(), ErrorOf<Self>>;
}

/// Error of a screen's display.
pub type ErrorOf<S> = <<S as Screen>::Display as DrawTarget>::Error;

impl<D> Screen for D
where
    D: DrawTarget,
    D::Color: PanelColor,
{
    type Display = Self;

    fn display(&mut self) -> &mut Self {
        self
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        Ok(())
    }
}

/// A screen that counts its images.
#[derive(Debug)]
pub(crate) struct Counted<'a, S> {
    pub(crate) screen: &'a mut S,
    pub(crate) drawn: &'a Cell<u64>,
}

impl<S: Screen> Screen for Counted<'_, S> {
    type Display = S::Display;

    fn display(&mut self) -> &mut S::Display {
        self.screen.display()
    }

    fn flush(&mut self) -> Result<(), ErrorOf<S>> {
        self.drawn.set(self.drawn.get() + 1);
        self.screen.flush()
    }
}

/// A display that draws to memory, with the function that sends the memory to the panel.
///
/// ```
/// use edgegen_app::{Buffered, Screen};
/// # use embedded_graphics::{mock_display::MockDisplay, pixelcolor::BinaryColor};
/// # let driver = MockDisplay::<BinaryColor>::new();
/// # fn send(_: &mut MockDisplay<BinaryColor>) -> Result<(), core::convert::Infallible> { Ok(()) }
/// let mut screen = Buffered::new(driver, |driver| send(driver)); // with the crate ssd1306: driver.flush()
/// screen.flush()?;
/// # Ok::<(), core::convert::Infallible>(())
/// ```
pub struct Buffered<D, F> {
    display: D,
    flush: F,
}

impl<D: DrawTarget, F: FnMut(&mut D) -> Result<(), D::Error>> Buffered<D, F> {
    /// `flush` sends what was drawn.
    pub fn new(display: D, flush: F) -> Self {
        Self { display, flush }
    }
}

impl<D, F> Screen for Buffered<D, F>
where
    D: DrawTarget,
    D::Color: PanelColor,
    F: FnMut(&mut D) -> Result<(), D::Error>,
{
    type Display = D;

    fn display(&mut self) -> &mut D {
        &mut self.display
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        (self.flush)(&mut self.display)
    }
}

impl<D: fmt::Debug, F> fmt::Debug for Buffered<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("display", &self.display).finish_non_exhaustive()
    }
}
