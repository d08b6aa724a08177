//! What is shown, and how fast: the acts of the show, and its settings.

use core::fmt::{self, Display};

/// What to show, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Show {
    /// First seed.
    pub seed: u64,
    /// First act.
    pub act: Act,
    /// Least time from one image to the next, in milliseconds; slower boards take their time.
    pub pace_millis: u32,
    /// How long a full gallery stays before it is drawn anew, in milliseconds.
    pub gallery_millis: u32,
    /// After so many seconds without a press the show goes on by itself; 0 for never.
    pub auto_seconds: u32,
    /// Seed, class, frame time and frames a second beside the picture, where there is room.
    pub caption: bool,
}

impl Default for Show {
    /// Seed 1, gallery first, 20 images a second at most, a gallery for 5 seconds, a new act each minute, with
    /// captions.
    fn default() -> Self {
        Self { seed: 1, act: Act::Gallery, pace_millis: 50, gallery_millis: 5000, auto_seconds: 60, caption: true }
    }
}

impl Show {
    /// Reads words such as `walk seed=7` or `class=3 pace=100 auto=0`, in any order; others (a program's name) are
    /// passed over.
    ///
    /// `gallery`, `walk`, `class=` and `picture=` (or `class` and `picture`, the first one) name the first act; `seed=`,
    /// `pace=` (milliseconds) and `auto=` (seconds) are as the fields; `bare` leaves the captions out. With the feature
    /// `art` there is also `art`.
    pub fn parse(line: &str) -> Self {
        let mut show = Self::default();
        for word in line.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "gallery" => show.act = Act::Gallery,
                "walk" => show.act = Act::Walk,
                "class" => show.act = Act::Class(value.parse().unwrap_or(0)),
                "picture" => show.act = Act::Picture(value.parse().unwrap_or(0)),
                #[cfg(feature = "art")]
                "art" => show.act = Act::Art,
                "seed" => show.seed = value.parse().unwrap_or(show.seed),
                "pace" => show.pace_millis = value.parse().unwrap_or(show.pace_millis),
                "auto" => show.auto_seconds = value.parse().unwrap_or(show.auto_seconds),
                "bare" => show.caption = false,
                _ => {}
            }
        }
        show
    }
}

/// What is on the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A grid of images, one seed each, drawn one after the other; then the next seeds.
    Gallery,
    /// One large image on its way from seed to seed, [`STEPS`](edgegen_runtime::latent::STEPS) steps each; of a model
    /// with [`Keyframes`](edgegen_runtime::latent::Keyframes) on the way through them.
    Walk,
    /// As [`Act::Walk`], with the class held.
    Class(u16),
    /// What a model makes of one of the [`Pictures`](edgegen_runtime::Pictures) that it brings along, beside it; then of
    /// the next one. Where it also reads a latent vector or noise, those go from seed to seed meanwhile.
    Picture(u16),
    /// One picture in a frame, signed, which hangs there for [`Show::auto_seconds`] and then slowly becomes the next; of a
    /// model with keyframes one after the other of those. The button shows a plate with its title, and another press goes on.
    #[cfg(feature = "art")]
    Art,
}

impl Act {
    /// The act that follows, for a model of `classes` classes that brings `pictures` pictures along.
    pub fn next(self, classes: u16, pictures: u16) -> Self {
        let number = match self {
            Act::Gallery if pictures == 0 => return Act::Walk,
            Act::Gallery | Act::Walk => 0,
            // Its button does something else.
            #[cfg(feature = "art")]
            Act::Art => return self,
            Act::Class(number) | Act::Picture(number) => number.saturating_add(1),
        };
        if number < pictures {
            Act::Picture(number)
        } else if pictures == 0 && number < classes {
            Act::Class(number)
        } else {
            Act::Gallery
        }
    }

    /// This act, or the one that a model of so many classes and pictures shows in its place, which has none of this.
    pub(crate) fn for_model(self, classes: u16, pictures: u16) -> Self {
        match self {
            Act::Gallery => self,
            Act::Picture(number) if number < pictures => self,
            _ if pictures > 0 => Act::Picture(0),
            Act::Class(class) if class < classes => self,
            #[cfg(feature = "art")]
            Act::Art => self,
            _ => Act::Walk,
        }
    }

    /// Whether it goes from seed to seed, or from keyframe to keyframe.
    pub(crate) fn is_walk(self) -> bool {
        match self {
            Act::Walk => true,
            #[cfg(feature = "art")]
            Act::Art => true,
            Act::Gallery | Act::Class(_) | Act::Picture(_) => false,
        }
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Gallery => f.write_str("gallery"),
            Act::Walk => f.write_str("walk"),
            #[cfg(feature = "art")]
            Act::Art => f.write_str("art"),
            Act::Class(class) => write!(f, "class {class}"),
            Act::Picture(picture) => write!(f, "picture {picture}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_in_words() {
        let show = Show::parse("firmware.elf class=3 seed=18446744073709551615 auto=0 pace=7 bare");
        let expected = Show {
            seed: u64::MAX,
            act: Act::Class(3),
            pace_millis: 7,
            auto_seconds: 0,
            caption: false,
            ..Show::default()
        };
        assert_eq!(show, expected);
        assert_eq!(Show::parse("walk").act, Act::Walk);
        assert_eq!(Show::parse("class").act, Act::Class(0));
        assert_eq!(Show::parse("picture=2").act, Act::Picture(2));
        assert_eq!(Show::parse("walking seed=x"), Show::default());
        #[cfg(feature = "art")]
        assert_eq!(Show::parse("art").act, Act::Art);
    }

    #[test]
    fn the_button_goes_round() {
        assert_eq!([Act::Gallery.next(0, 0), Act::Walk.next(0, 0)], [Act::Walk, Act::Gallery]);
        let round = [Act::Gallery, Act::Walk, Act::Class(0), Act::Class(1)];
        assert_eq!(round.map(|act| act.next(2, 0)), [Act::Walk, Act::Class(0), Act::Class(1), Act::Gallery]);
        assert_eq!(Act::Class(u16::MAX).next(u16::MAX, 0), Act::Gallery);
        let round = [Act::Gallery, Act::Picture(0), Act::Picture(1)];
        assert_eq!(round.map(|act| act.next(3, 2)), [Act::Picture(0), Act::Picture(1), Act::Gallery]);
    }

    #[test]
    fn a_model_shows_what_it_has() {
        let acts = [Act::Gallery, Act::Walk, Act::Class(3), Act::Picture(1)];
        assert_eq!(acts.map(|act| act.for_model(0, 0)), [Act::Gallery, Act::Walk, Act::Walk, Act::Walk]);
        assert_eq!(acts.map(|act| act.for_model(4, 0)), [Act::Gallery, Act::Walk, Act::Class(3), Act::Walk]);
        let pictures = [Act::Gallery, Act::Picture(0), Act::Picture(0), Act::Picture(1)];
        assert_eq!(acts.map(|act| act.for_model(4, 2)), pictures);
        assert_eq!(Act::Picture(2).for_model(0, 2), Act::Picture(0));
    }
}
