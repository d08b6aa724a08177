//! The show one frame at a time.

#[cfg(feature = "art")]
mod art;
#[cfg(feature = "sound")]
mod sound;

use core::fmt;

use edgegen_runtime::latent::keyframes::LEG;
use edgegen_runtime::latent::{self, STEPS};
use edgegen_runtime::{Generator, Shape, Still};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point};
use embedded_graphics::primitives::Rectangle;

use crate::PanelColor;
use crate::act::{Act, Offer, Show};
use crate::caption::{self, Caption, Layout};
use crate::gallery::Grid;
use crate::image::{Placement, RowSource};
use crate::pair::{Pair, draw_picture};
use crate::platform::{Platform, Watched};
use crate::scatter::{self, Plot};
use crate::screen::{ErrorOf, Screen};

/// How long a refused model or a failing panel is left alone.
pub(crate) const RETRY_MILLIS: u64 = 1000;

/// Styles in which the image of one seed is drawn before that of the next.
const MIXTURES: u32 = 8;
/// How long each of them stays: it takes a look to see what has changed.
const MIX_MILLIS: u64 = 1000;

/// What [`Stage::frame`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// It is not yet time for another image, or a press of the button broke it off.
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
    /// How many keyframes the model has, and the one from which the next image of its own way comes.
    keyframes: u16,
    keyframe: u16,
    /// What the model has that a person can turn.
    offer: Offer,
    /// Step of the walk, or cell of the gallery.
    step: u32,
    /// Dots of points on the panel.
    dots: u32,
    /// Whether the panel has to be cleared first.
    fresh: bool,
    /// When the next image may begin.
    due: u64,
    /// When the act began.
    entered: u64,
    /// When the last image began, unless there was a pause after it.
    began: Option<u64>,
    #[cfg(feature = "art")]
    exhibit: art::Exhibit,
    #[cfg(feature = "sound")]
    sounds: sound::Sounds<'a>,
}

impl<'a, P: Platform> Stage<'a, P> {
    /// With the feature `sound` memory for sounds goes with it.
    pub(crate) fn new(
        generator: Generator<'a>,
        show: &Show,
        platform: Watched<P>,
        #[cfg(feature = "sound")] memory: &'a mut [i8],
    ) -> Self {
        let mut platform = platform;
        let model = generator.model();
        let Shape { h, w, c } = model.output();
        platform.report(format_args!("model {} {h}x{w}x{c} arena {}", model.name(), model.arena_bytes()));
        let offer = Offer::of(model);
        #[cfg(feature = "sound")]
        let (sounds, offer) = sound::Sounds::new(model, memory, &mut platform, offer);
        let act = show.act.for_model(offer);
        #[cfg(feature = "art")]
        let act = if act == Act::Art && !art::can_hang(model) { Act::Walk } else { act };
        let now = platform.turn();
        let mut stage = Self {
            generator,
            platform,
            show: *show,
            act,
            seed: show.seed,
            keyframes: model.keyframes().map_or(0, |keyframes| keyframes.count()),
            keyframe: 0,
            offer,
            step: 0,
            dots: 0,
            fresh: true,
            due: now,
            entered: now,
            began: None,
            #[cfg(feature = "art")]
            exhibit: art::Exhibit::default(),
            #[cfg(feature = "sound")]
            sounds,
        };
        stage.enter(act, now);
        stage
    }

    /// A stage for a generator.
    pub fn open(generator: Generator<'a>, show: &Show, platform: P) -> Self {
        let platform = Watched::new(platform);
        #[cfg(feature = "sound")]
        return Self::new(generator, show, platform, &mut []);
        #[cfg(not(feature = "sound"))]
        Self::new(generator, show, platform)
    }

    /// What is on the panel.
    pub fn act(&self) -> Act {
        self.act
    }

    pub(crate) fn report(&mut self, line: fmt::Arguments<'_>) {
        self.platform.report(line);
    }

    /// Draws the next image, or some points of the plane, if it is time, after a look at the button.
    ///
    /// # Errors
    ///
    /// Those of the display. The image is then drawn again after a second, on a cleared panel.
    pub fn frame<S: Screen>(&mut self, screen: &mut S) -> Result<Frame, ErrorOf<S>> {
        #[cfg(feature = "art")]
        if self.act == Act::Art {
            return self.art_frame(screen);
        }
        let now = self.platform.turn();
        let auto = self.platform.ticks(1000 * u64::from(self.show.auto_seconds));
        if self.platform.take_press() || (auto > 0 && now - self.entered >= auto) {
            self.enter(self.act.next(self.offer), now);
        }
        #[cfg(feature = "sound")]
        if self.is_sound() && self.is_playing() {
            return Ok(Frame::Waiting);
        }
        if now < self.due {
            return Ok(Frame::Waiting);
        }
        let drawn = self.draw(screen, now);
        if drawn.is_err() {
            (self.fresh, self.began) = (true, None);
            if self.act == Act::Gallery {
                // What was drawn of the page is cleared.
                self.step = 0;
            }
            self.due = self.platform.turn() + self.platform.ticks(RETRY_MILLIS);
        }
        drawn
    }

    /// Starts an act.
    fn enter(&mut self, act: Act, now: u64) {
        (self.act, self.step, self.keyframe, self.fresh, self.began) = (act, 0, 0, true, None);
        #[cfg(feature = "sound")]
        self.sounds.stop();
        if self.is_keyed() {
            self.platform.report(format_args!("{act} through {} keyframes", self.keyframes));
        } else {
            self.platform.report(format_args!("{act} from seed {}", self.seed));
        }
        (self.due, self.entered) = (now, now);
    }

    fn draw<S: Screen>(&mut self, screen: &mut S, now: u64) -> Result<Frame, ErrorOf<S>> {
        let panel = screen.display().bounding_box();
        let model = self.generator.model();
        let (shape, pair) = (model.output(), Pair::of(model, panel.size));
        if self.fresh {
            screen.display().clear(<S::Display as DrawTarget>::Color::from_grey(0, Point::zero()))?;
            (self.fresh, self.dots) = (false, 0);
            #[cfg(feature = "sound")]
            self.sounds.wipe();
        }
        #[cfg(feature = "sound")]
        if self.is_sound() {
            return self.sound(screen, panel, now);
        }
        if scatter::is_point(shape) {
            return self.scatter(screen, panel, now);
        }
        let (layout, placement, cells) = self.place(panel, pair.shape());
        let (beside, placement) = pair.split(placement);
        let point = self.point(self.step);
        let number = if let Act::Picture(number) = self.act { number.into() } else { point.from };
        let picture = model.pictures().map(|pictures| pictures.picture(number));
        if let (Some(place), Some(picture)) = (beside, picture) {
            draw_picture(screen.display(), picture, place)?;
        }
        let Self { generator, platform, .. } = self;
        let mut rows = generator.translate(point, picture.map_or(Still::new(&[]), |picture| picture.rows()));
        for y in 0..u32::from(shape.h) {
            platform.turn();
            if platform.is_pressed() {
                // The rest of the image is not waited for: the next frame sees to the press.
                return Ok(Frame::Waiting);
            }
            placement.draw_row(screen.display(), y, rows.next_row().unwrap_or(&[]), usize::from(shape.c))?;
        }
        let caption = self.measure(now);
        if let Some(area) = layout.caption {
            caption.draw(screen.display(), area)?;
        }
        screen.flush()?;
        // With the next image there may come another picture.
        let act = self.act;
        self.advance(now, cells);
        Ok(Frame::Drawn { act, point, placement })
    }

    /// Draws the next points, which are quick to make, as dots beside those that are there.
    fn scatter<S: Screen>(&mut self, screen: &mut S, panel: Rectangle, now: u64) -> Result<Frame, ErrorOf<S>> {
        let layout = match self.show.caption {
            true => Layout::new(panel, |area| Plot::fit(area).side()),
            false => Layout { picture: panel, caption: None },
        };
        let (plot, number, points) = match self.act {
            Act::Gallery => (Plot::fit(layout.picture), scatter::AT_A_TIME, scatter::DOTS),
            _ => (Plot::fit(layout.picture), 1, self.steps()),
        };
        let (mut point, mut placement) = (self.point(self.step), plot.placement(&[]));
        for index in 0..number {
            self.platform.turn();
            if self.platform.is_pressed() {
                return Ok(Frame::Waiting);
            }
            point = self.point(self.step + index);
            let mut rows = self.generator.sample_at(point);
            placement = plot.draw(screen.display(), rows.next_row().unwrap_or(&[]))?;
        }
        let caption = self.measure(now);
        if let Some(area) = layout.caption {
            caption.draw(screen.display(), area)?;
        }
        screen.flush()?;
        (0..number).for_each(|_| self.advance(now, points));
        self.dots += number;
        self.fresh = self.dots >= scatter::DOTS;
        Ok(Frame::Drawn { act: self.act, point, placement })
    }

    /// Where a step of the act lies in latent space.
    fn point(&self, step: u32) -> latent::Point {
        let walk = latent::Point::walk(self.seed, self.seed.wrapping_add(1), step as u16);
        let own = latent::Point::seed(self.seed).with_noise(latent::Noise::Seed(self.seed));
        match self.act {
            Act::Gallery => latent::Point::seed(self.seed.wrapping_add(u64::from(step))),
            _ if self.is_keyed() => {
                latent::Point::keyframe(self.keyframe.into(), u64::from(self.keyframe) + 1, step as u16)
            }
            Act::Class(class) => walk.of_class(class),
            Act::Mix => {
                let (first, end) = (self.offer.styles.div_ceil(2), self.offer.styles);
                own.styled(latent::Style::of(self.seed.wrapping_add(1 + u64::from(step)), first, end))
            }
            Act::Middle => {
                // All the way, and back.
                let share = (step as u16).min(2 * STEPS - step as u16);
                own.styled(latent::Style::toward_middle(share))
            }
            Act::Noise => latent::Point::seed(self.seed).with_noise(latent::Noise::Seed(step.into())),
            // Noise that went along would hide how style changes, and that of the seed would jump at the next one.
            Act::Walk if self.offer.styles > 0 => latent::Point::seed(self.seed)
                .with_noise(latent::Noise::Seed(self.show.seed))
                .styled(latent::Style::toward(self.seed.wrapping_add(1), step as u16)),
            Act::Walk | Act::Picture(_) => walk,
            #[cfg(feature = "art")]
            Act::Art => walk,
            #[cfg(feature = "sound")]
            Act::Drums => own,
        }
    }

    /// Images from seed to seed, or from keyframe to keyframe.
    fn steps(&self) -> u32 {
        match self.act {
            Act::Mix => MIXTURES,
            Act::Middle => 2 * u32::from(STEPS),
            _ => u32::from(if self.is_keyed() { LEG } else { STEPS }),
        }
    }

    /// Whether it goes the way that the model brings along.
    fn is_keyed(&self) -> bool {
        self.act.is_walk() && self.keyframes > 0
    }

    /// Where the next image goes, and how many there are before a pause.
    fn place(&self, panel: Rectangle, shape: Shape) -> (Layout, Placement, u32) {
        let bare = Layout { picture: panel, caption: None };
        let most = self.generator.most();
        let steps = match self.act {
            // Nothing moves where the image follows from the picture.
            Act::Picture(_) if most < u32::MAX => 1,
            _ => self.steps(),
        };
        match (self.act, self.show.caption) {
            (Act::Gallery, captioned) => {
                let (layout, grid) = if captioned {
                    Layout::gallery(panel, shape, most)
                } else {
                    (bare, Grid::fit_most(panel, shape, most))
                };
                (layout, grid.placement(self.step), grid.cells())
            }
            (_, true) => {
                let (layout, placement) = Layout::single(panel, shape);
                (layout, placement, steps)
            }
            (_, false) => (bare, Placement::centred(panel, shape), steps),
        }
    }

    /// Time and rate of the image that began at `began`.
    fn measure(&mut self, began: u64) -> Caption {
        let ended = self.platform.turn();
        let millis = self.platform.millis(ended - began);
        let period = self.platform.millis(self.began.map_or(ended - began, |last| began - last)).max(1);
        self.began = Some(began);
        let of_keyframes = self.is_keyed();
        let seed = if of_keyframes { self.keyframe.into() } else { self.seed };
        let class = caption::name(self.generator.model(), self.act);
        Caption {
            act: self.act,
            class,
            seed,
            of_keyframes,
            millis,
            tenths_per_second: 10_000 / period,
            #[cfg(feature = "sound")]
            tenths_of_real_time: None,
        }
    }

    /// On to the next image.
    fn advance(&mut self, began: u64, images: u32) {
        let pace = if self.act == Act::Mix { MIX_MILLIS } else { u64::from(self.show.pace_millis) };
        self.due = began + self.platform.ticks(pace);
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
            Act::Walk if self.is_keyed() => {
                self.keyframe += 1;
                if self.keyframe >= self.keyframes {
                    self.keyframe = 0;
                }
            }
            Act::Walk | Act::Mix | Act::Middle | Act::Noise | Act::Class(_) => self.seed = self.seed.wrapping_add(1),
            // These advance by themselves.
            #[cfg(feature = "art")]
            Act::Art => {}
            #[cfg(feature = "sound")]
            Act::Drums => {}
            Act::Picture(number) => {
                if images > 1 {
                    self.seed = self.seed.wrapping_add(1);
                } else {
                    self.due = began + self.platform.ticks(u64::from(self.show.gallery_millis));
                }
                self.act = Act::Picture(if number + 1 < self.offer.pictures { number + 1 } else { 0 });
            }
        }
    }
}
