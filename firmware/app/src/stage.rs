//! The show one frame at a time.

use core::fmt;

use edgegen_runtime::latent::{self, STEPS};
use edgegen_runtime::{Generator, Shape};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point};
use embedded_graphics::primitives::Rectangle;

use crate::PanelColor;
use crate::caption::{Caption, Layout};
use crate::gallery::Grid;
use crate::image::{Placement, RowSource};
use crate::platform::{Platform, Watched};
use crate::screen::{ErrorOf, Screen};
use crate::show::{Act, RETRY_MILLIS, Show};

/// What [`Stage::frame`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// It is not yet time for another image.
    Waiting,
    /// An image is on the panel.
    Drawn {
        /// The act it belongs to.
        act: Act,
        /// What it shows.
        point: latent::Point,
        /// Where it is.
        placement: Placement,
    },
}

/// A model on a panel: [`Stage::frame`] draws one image and returns. [`show`](crate::show()) calls it for ever.
#[derive(Debug)]
pub struct Stage<'a, P> {
    generator: Generator<'a>,
    platform: Watched<P>,
    show: Show,
    act: Act,
    /// Seed of the next image, or where its walk starts.
    seed: u64,
    /// Step of the walk, or cell of the gallery.
    step: u32,
    /// Whether the panel has to be cleared first.
    fresh: bool,
    /// When the next image may begin.
    due: u64,
    /// When the act began.
    entered: u64,
    /// When the last image began, unless there was a pause after it.
    began: Option<u64>,
    caption: Caption,
}

impl<'a, P: Platform> Stage<'a, P> {
    pub(crate) fn new(generator: Generator<'a>, show: &Show, platform: Watched<P>) -> Self {
        let mut platform = platform;
        let model = generator.model();
        let Shape { h, w, c } = model.output();
        platform.report(format_args!("model {} {h}x{w}x{c} arena {}", model.name(), model.arena_bytes()));
        let caption = Caption { act: show.act, seed: show.seed, millis: None, tenths_per_second: 0 };
        let now = platform.turn();
        let mut stage = Self {
            generator,
            platform,
            show: *show,
            act: show.act,
            seed: show.seed,
            step: 0,
            fresh: true,
            due: now,
            entered: now,
            began: None,
            caption,
        };
        stage.enter(show.act, now);
        stage
    }

    /// A stage for a generator.
    pub fn open(generator: Generator<'a>, show: &Show, platform: P) -> Self {
        Self::new(generator, show, Watched::new(platform))
    }

    /// What is on the panel.
    pub fn act(&self) -> Act {
        self.act
    }

    pub(crate) fn report(&mut self, line: fmt::Arguments<'_>) {
        self.platform.report(line);
    }

    /// Draws the next image if it is time, after a look at the button.
    ///
    /// # Errors
    ///
    /// Those of the display. The image is then drawn again after a second, on a cleared panel.
    pub fn frame<S: Screen>(&mut self, screen: &mut S) -> Result<Frame, ErrorOf<S>> {
        let now = self.platform.turn();
        let auto = self.platform.ticks(1000 * u64::from(self.show.auto_seconds));
        if self.platform.take_press() || (auto > 0 && now - self.entered >= auto) {
            self.enter(self.act.next(self.generator.model().classes()), now);
        }
        if now < self.due {
            return Ok(Frame::Waiting);
        }
        let drawn = self.draw(screen, now);
        if drawn.is_err() {
            (self.fresh, self.began) = (true, None);
            self.due = self.platform.turn() + self.platform.ticks(RETRY_MILLIS);
        }
        drawn
    }

    /// Starts an act.
    fn enter(&mut self, act: Act, now: u64) {
        self.platform.report(format_args!("{act} from seed {}", self.seed));
        (self.act, self.step, self.fresh, self.began) = (act, 0, true, None);
        (self.due, self.entered) = (now, now);
    }

    fn draw<S: Screen>(&mut self, screen: &mut S, now: u64) -> Result<Frame, ErrorOf<S>> {
        let panel = screen.display().bounding_box();
        let shape = self.generator.model().output();
        if self.fresh {
            screen.display().clear(<S::Display as DrawTarget>::Color::from_grey(0, Point::zero()))?;
            self.fresh = false;
        }
        let (layout, placement, cells) = self.place(panel, shape);
        let point = match self.act {
            Act::Gallery => latent::Point::seed(self.seed.wrapping_add(u64::from(self.step))),
            Act::Walk => latent::Point::walk(self.seed, self.seed.wrapping_add(1), self.step as u16),
            Act::Class(class) => {
                latent::Point::walk(self.seed, self.seed.wrapping_add(1), self.step as u16).of_class(class)
            }
        };
        let mut y = 0;
        let Self { generator, platform, .. } = self;
        generator.rows(point, |row| {
            platform.turn();
            placement.draw_row(screen.display(), y, row, usize::from(shape.c))?;
            y += 1;
            Ok(())
        })?;
        self.measure(now);
        if let Some(area) = layout.caption.filter(|_| self.show.caption) {
            self.caption.draw(screen.display(), area)?;
        }
        screen.flush()?;
        self.advance(now, cells);
        Ok(Frame::Drawn { act: self.act, point, placement })
    }

    /// Where the next image goes, and how many there are before a pause.
    fn place(&self, panel: Rectangle, shape: Shape) -> (Layout, Placement, u32) {
        if self.act == Act::Gallery {
            let worth = |area| {
                let grid = Grid::fit(area, shape);
                (grid.columns, grid.rows, grid.scale)
            };
            let layout = Layout::new(panel, worth);
            let grid = Grid::fit(layout.picture, shape);
            return (layout, grid.placement(self.step), grid.cells());
        }
        let layout = Layout::new(panel, |area| Placement::centred(area, shape).scale);
        (layout, Placement::centred(layout.picture, shape), u32::from(STEPS))
    }

    /// Time and rate of the image that began at `began`.
    fn measure(&mut self, began: u64) {
        let ended = self.platform.turn();
        let millis = self.platform.millis(ended - began);
        let period = self.platform.millis(self.began.map_or(ended - began, |last| began - last)).max(1);
        self.began = Some(began);
        self.caption =
            Caption { act: self.act, seed: self.seed, millis: Some(millis), tenths_per_second: 10_000 / period };
    }

    /// On to the next image.
    fn advance(&mut self, began: u64, images: u32) {
        self.due = began + self.platform.ticks(u64::from(self.show.pace_millis));
        self.step += 1;
        if self.step < images {
            return;
        }
        self.step = 0;
        match self.act {
            Act::Gallery => {
                self.seed = self.seed.wrapping_add(u64::from(images));
                self.due = self.platform.turn() + self.platform.ticks(u64::from(self.show.gallery_millis));
                self.began = None;
            }
            Act::Walk | Act::Class(_) => self.seed = self.seed.wrapping_add(1),
        }
    }
}
