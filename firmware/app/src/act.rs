//! What is shown, and how fast: the acts of the show, and its settings.

use core::fmt::{self, Display};

use edgegen_runtime::Model;

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
    /// `gallery`, `walk`, `mix`, `noise`, `middle`, `class=` and `picture=` (or `class` and `picture`, the first one)
    /// name the first act; `seed=`, `pace=` (milliseconds) and `auto=` (seconds) are as the fields; `bare` leaves the
    /// captions out. With the feature `art` there is also `art`, with `sound` also `drums`.
    pub fn parse(line: &str) -> Self {
        let mut show = Self::default();
        for word in line.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "gallery" => show.act = Act::Gallery,
                "walk" => show.act = Act::Walk,
                "mix" => show.act = Act::Mix,
                "noise" => show.act = Act::Noise,
                "middle" => show.act = Act::Middle,
                "class" => show.act = Act::Class(value.parse().unwrap_or(0)),
                "picture" => show.act = Act::Picture(value.parse().unwrap_or(0)),
                #[cfg(feature = "art")]
                "art" => show.act = Act::Art,
                #[cfg(feature = "sound")]
                "drums" => show.act = Act::Drums,
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
    /// with [`Keyframes`](edgegen_runtime::latent::Keyframes) on the way through them, and of one with styles on the
    /// straight line from style to style.
    Walk,
    /// The image of one seed in the styles of others: its coarser half of the layers stays, the finer half follows one
    /// seed after another ([`latent::Style`](edgegen_runtime::latent::Style)).
    Mix,
    /// The image of one seed with other noise each time.
    Noise,
    /// The image of one seed whose style goes to the middle of all styles and back, which shows what is special about
    /// it (truncation).
    Middle,
    /// As [`Act::Walk`], with the class held.
    Class(u16),
    /// What a model makes of one of the [`Pictures`](edgegen_runtime::Pictures) that it brings along, beside it; then of
    /// the next one. Where it also reads a latent vector or noise, those go from seed to seed meanwhile.
    Picture(u16),
    /// One picture in a frame, signed, which hangs there for [`Show::auto_seconds`] and then slowly becomes the next;
    /// of a model with keyframes one after the other of those. The button shows a plate with its title, and another
    /// press goes on.
    #[cfg(feature = "art")]
    Art,
    /// A bar of sixteen steps, again and again, of a model that makes sound: which of its sounds begins on which step
    /// follows from the seed, and each bar has new sounds.
    #[cfg(feature = "sound")]
    Drums,
}

/// What a model has that a person can turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Classes that can be asked for.
    pub classes: u16,
    /// Whether they are combinations, which are far too many to go through.
    pub combines: bool,
    /// Pictures that it brings along.
    pub pictures: u16,
    /// Layers with a style that can be mixed.
    pub styles: u16,
    /// Whether it draws noise.
    pub noise: bool,
    /// Whether it makes sound, and there is memory for the sounds of two bars.
    #[cfg(feature = "sound")]
    pub drums: bool,
}

impl Offer {
    /// That of a model; whether there is memory for more than its images, it does not know.
    pub fn of(model: &Model<'_>) -> Self {
        Self {
            classes: model.classes(),
            combines: model.combines(),
            pictures: model.pictures().map_or(0, |pictures| pictures.count()),
            styles: model.styles(),
            noise: model.has_noise(),
            #[cfg(feature = "sound")]
            drums: false,
        }
    }

    fn has(self, act: Act) -> bool {
        match act {
            Act::Gallery => true,
            Act::Picture(number) => number < self.pictures,
            _ if self.pictures > 0 => false,
            Act::Class(class) => class < self.classes,
            Act::Mix => self.styles > 1,
            Act::Noise => self.noise,
            Act::Middle => self.styles > 0,
            Act::Walk => true,
            #[cfg(feature = "art")]
            Act::Art => true,
            #[cfg(feature = "sound")]
            Act::Drums => self.drums,
        }
    }

    /// The act behind the last class.
    fn behind_classes(self) -> Act {
        #[cfg(feature = "sound")]
        if self.drums {
            return Act::Drums;
        }
        Act::Gallery
    }
}

impl Act {
    /// The act that follows, for a model that has what `offer` says.
    pub fn next(self, offer: Offer) -> Self {
        let mut act = self;
        loop {
            act = match act {
                Act::Gallery if offer.pictures > 0 => Act::Picture(0),
                Act::Gallery => Act::Walk,
                Act::Walk => Act::Mix,
                Act::Mix => Act::Middle,
                Act::Middle => Act::Noise,
                Act::Noise if offer.combines => offer.behind_classes(),
                Act::Noise => Act::Class(0),
                // Its button does something else.
                #[cfg(feature = "art")]
                Act::Art => return act,
                #[cfg(feature = "sound")]
                Act::Drums => Act::Gallery,
                Act::Class(class) => {
                    class.checked_add(1).filter(|_| !offer.combines).map_or(offer.behind_classes(), Act::Class)
                }
                Act::Picture(picture) => picture.checked_add(1).map_or(Act::Gallery, Act::Picture),
            };
            if offer.has(act) {
                return act;
            }
            #[cfg(feature = "sound")]
            if let Act::Class(_) = act {
                return offer.behind_classes();
            }
            if let Act::Class(_) | Act::Picture(_) = act {
                return Act::Gallery;
            }
        }
    }

    /// This act, or the one that a model shows in its place, which has none of this.
    pub(crate) fn for_model(self, offer: Offer) -> Self {
        match self {
            act if offer.has(act) => act,
            _ if offer.pictures > 0 => Act::Picture(0),
            _ => Act::Walk,
        }
    }

    /// Whether it goes from seed to seed, or from keyframe to keyframe.
    pub(crate) fn is_walk(self) -> bool {
        match self {
            Act::Walk => true,
            #[cfg(feature = "art")]
            Act::Art => true,
            #[cfg(feature = "sound")]
            Act::Drums => false,
            Act::Gallery | Act::Mix | Act::Middle | Act::Noise | Act::Class(_) | Act::Picture(_) => false,
        }
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Gallery => f.write_str("gallery"),
            Act::Walk => f.write_str("walk"),
            Act::Mix => f.write_str("mix"),
            Act::Noise => f.write_str("noise"),
            Act::Middle => f.write_str("middle"),
            #[cfg(feature = "art")]
            Act::Art => f.write_str("art"),
            #[cfg(feature = "sound")]
            Act::Drums => f.write_str("drums"),
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

    /// What a model of so many classes and pictures has.
    fn offer(classes: u16, pictures: u16) -> Offer {
        Offer { classes, pictures, ..Offer::default() }
    }

    #[test]
    fn the_button_goes_round() {
        let bare = offer(0, 0);
        assert_eq!([Act::Gallery.next(bare), Act::Walk.next(bare)], [Act::Walk, Act::Gallery]);
        let round = [Act::Gallery, Act::Walk, Act::Class(0), Act::Class(1)];
        assert_eq!(round.map(|act| act.next(offer(2, 0))), [Act::Walk, Act::Class(0), Act::Class(1), Act::Gallery]);
        assert_eq!(Act::Class(u16::MAX).next(offer(u16::MAX, 0)), Act::Gallery);
        let round = [Act::Gallery, Act::Picture(0), Act::Picture(1)];
        assert_eq!(round.map(|act| act.next(offer(3, 2))), [Act::Picture(0), Act::Picture(1), Act::Gallery]);
        let styled = Offer { styles: 5, noise: true, ..offer(1, 0) };
        let round = [Act::Gallery, Act::Walk, Act::Mix, Act::Middle, Act::Noise, Act::Class(0)];
        let next = [Act::Walk, Act::Mix, Act::Middle, Act::Noise, Act::Class(0), Act::Gallery];
        assert_eq!(round.map(|act| act.next(styled)), next);
        assert_eq!(Act::Walk.next(Offer { styles: 1, ..styled }), Act::Middle, "nothing to mix in one layer");
        let combined = Offer { combines: true, ..offer(900, 0) };
        assert_eq!([Act::Walk, Act::Class(7)].map(|act| act.next(combined)), [Act::Gallery; 2]);
    }

    #[test]
    fn a_model_shows_what_it_has() {
        let acts = [Act::Gallery, Act::Walk, Act::Mix, Act::Middle, Act::Noise, Act::Class(3), Act::Picture(1)];
        let shown = |offer: Offer| acts.map(|act| act.for_model(offer));
        let [gallery, walk] = [Act::Gallery, Act::Walk];
        assert_eq!(shown(offer(0, 0)), [gallery, walk, walk, walk, walk, walk, walk]);
        assert_eq!(shown(offer(4, 0)), [gallery, walk, walk, walk, walk, Act::Class(3), walk]);
        let first = Act::Picture(0);
        assert_eq!(shown(offer(4, 2)), [gallery, first, first, first, first, first, Act::Picture(1)]);
        assert_eq!(Act::Picture(2).for_model(offer(0, 2)), first);
        let styled = Offer { styles: 2, noise: true, ..offer(0, 0) };
        assert_eq!(shown(styled), [gallery, walk, Act::Mix, Act::Middle, Act::Noise, walk, walk]);
    }
}
