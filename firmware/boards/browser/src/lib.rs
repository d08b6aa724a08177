//! edgegen in a web page: `edgegen play`, or `../../arm build --release`.
//!
//! The same app and runtime as on every board, as WebAssembly with simd128, on a panel that the page copies to a
//! canvas. Nothing is allocated: model file, arena, pixels and latent vector have their places, and the page is told where they
//! lie. `page/play.js` is the other half:
//!
//! | the page | calls |
//! |---|---|
//! | takes another model | [`file`], writes the bytes there, [`load`]; then reads [`facts`] and [`text`] |
//! | takes another panel | [`panel`]; then reads [`pixels`] after each picture |
//! | begins gallery, walk or class | [`begin`], and [`frame`] again and again; [`press`] is the board's button |
//! | chooses a latent vector | [`fill`] writes that of a seed to [`codes`], the page changes it, [`still`] draws it |
//! | chooses a style, or noise | [`style`] and [`noise`], which [`still`] takes up |
//! | has a picture read | [`own`] for one of the model's, or [`fed`], writes the bytes there; then [`still`] |
//! | plays sounds | [`listen`]; then [`frame`] and [`still`] hand it sample after sample |

#![no_std]

mod board;
mod canvas;
mod page;

use core::fmt::{Display, Write};
use core::panic::PanicInfo;
use core::ptr;

use board::{Board, Codes, Colors, MOST_CODES, Still};
use canvas::{MOST_PIXELS, Pixels};
use edgegen_app::{Act, Show, Stage};
use edgegen_runtime::graph::Source;
use edgegen_runtime::latent::{Noise, Style, combination};
use edgegen_runtime::{Arena, Feed, Generator, Model, Point, Shape};
use embedded_graphics::geometry::Size;
use heapless::String;
use page::Page;

/// Bytes of a model file at most, and of its arena: board.toml tells the same.
const FILE_BYTES: usize = 16 << 20;
const ARENA_BYTES: usize = 8 << 20;
/// Bytes of an image to read at most.
const FED_BYTES: usize = 1 << 20;
/// Inputs of a combination at most: sixteen of two values each are more than a class can number.
const MOST_PARTS: usize = 16;

/// What the page asks of a model: see [`facts`].
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Facts {
    height: u32,
    width: u32,
    channels: u32,
    /// Values of the latent vector.
    dims: u32,
    /// Codes to the unit of the latent vector, and the least of them.
    steps: u32,
    least: i32,
    classes: u32,
    keyframes: u32,
    arena_bytes: u32,
    /// Height, width and channels of the image that it reads; zeros if it reads none.
    fed: [u32; 3],
    /// Pictures that it brings along to read.
    pictures: u32,
    /// Layers whose style can be mixed.
    styles: u32,
    /// Whether it draws noise.
    noise: u32,
    /// Samples a second of a model that makes sound; else 0.
    rate: u32,
    /// Stride and values of each input that a class is a combination of; zeros behind the last.
    parts: [[u32; 2]; MOST_PARTS],
}

impl Facts {
    const NONE: Self = Self {
        height: 0,
        width: 0,
        channels: 0,
        dims: 0,
        steps: 1,
        least: 0,
        classes: 0,
        keyframes: 0,
        arena_bytes: 0,
        fed: [0; 3],
        pictures: 0,
        styles: 0,
        noise: 0,
        rate: 0,
        parts: [[0; 2]; MOST_PARTS],
    };

    fn new(model: &Model<'_>) -> Self {
        let Shape { h, w, c } = model.output();
        let latent = model.latent();
        let unit = latent.is_some_and(|latent| latent.prior == edgegen_runtime::Prior::UnitUniform);
        Self {
            height: h.into(),
            width: w.into(),
            channels: c.into(),
            dims: latent.map_or(0, |latent| latent.dims.into()),
            steps: latent.map_or(1, |latent| latent.prior.steps().into()),
            least: if unit { 0 } else { -127 },
            classes: model.classes().into(),
            keyframes: model.keyframes().map_or(0, |keyframes| keyframes.count().into()),
            arena_bytes: model.arena_bytes() as u32,
            fed: model.fed().map_or([0; 3], |Shape { h, w, c }| [h, w, c].map(u32::from)),
            pictures: model.pictures().map_or(0, |pictures| pictures.count().into()),
            styles: model.styles().into(),
            noise: model.has_noise().into(),
            rate: model.sample_rate().unwrap_or(0),
            parts: parts(model),
        }
    }

    /// Values behind those of the latent vector.
    fn beside(&self) -> u32 {
        if self.parts[0][0] == 0 { self.classes } else { 0 }
    }
}

/// See [`Facts::parts`].
fn parts(model: &Model<'_>) -> [[u32; 2]; MOST_PARTS] {
    let mut parts = [[0; 2]; MOST_PARTS];
    let inputs = model.inputs().filter(|(_, input)| input.source() == Some(Source::Class) && input.dims > 0);
    for (part, (node, input)) in parts.iter_mut().zip(inputs) {
        *part = [input.dims.into(), node.shape.c.into()];
    }
    parts
}

/// A model file where the runtime wants it.
#[repr(C, align(16))]
struct File([u8; FILE_BYTES]);

// All that is large lies here and begins with zeros: those are not in the program, what stands in `MACHINE` is.
static mut FILE: File = File([0; FILE_BYTES]);
static mut ARENA: Arena<ARENA_BYTES> = Arena::new();
static mut PIXELS: Pixels = [[0; 4]; MOST_PIXELS];
static mut CODES: Codes = [0; MOST_CODES];
static mut FED: [u8; FED_BYTES] = [0; FED_BYTES];

/// The model. It borrows `FILE`, and the stage borrows it and `ARENA`: each goes before what it borrows changes.
static mut MODEL: Option<Model<'static>> = None;

/// What there is besides.
struct Machine {
    stage: Option<Stage<'static, Page>>,
    board: Board,
    facts: Facts,
    /// The second latent vector and the noise of a still image.
    style: Option<Style>,
    noise: Noise,
    /// Number of the model's own picture that it reads.
    own: Option<u16>,
    /// The model's name, or why it was refused.
    text: String<256>,
    /// Bytes of what [`fact`] found.
    fact_len: usize,
}

static mut MACHINE: Machine = Machine {
    stage: None,
    board: {
        let (pixels, codes) = (&raw mut PIXELS, &raw mut CODES);
        // SAFETY: nothing else refers to these two.
        unsafe { Board::new(&mut *pixels, &mut *codes) }
    },
    facts: Facts::NONE,
    style: None,
    noise: Noise::OfPoint,
    own: None,
    text: String::new(),
    fact_len: 0,
};

/// The machine, for one call of the page.
fn machine() -> &'static mut Machine {
    let machine = &raw mut MACHINE;
    // SAFETY: a page calls from one thread, one call at a time, and each call asks once; what it calls back, the clock
    // and the log, calls nothing here. No reference but the stage's outlives a call.
    unsafe { &mut *machine }
}

impl Machine {
    /// The arena for as long as a generator lives.
    fn arena(&mut self) -> &'static mut [i8] {
        self.stage = None;
        let arena = &raw mut ARENA;
        // SAFETY: the only other one who borrows it, the stage, has just gone.
        unsafe { &mut (*arena).0 }
    }

    /// The model, until another one is put in its place.
    fn model(&self) -> Option<&'static Model<'static>> {
        let model = &raw const MODEL;
        // SAFETY: `put` alone changes it, when the stage, which alone keeps this reference, has gone.
        unsafe { &*model }.as_ref()
    }

    /// Puts another model, or none, in the place of the one before.
    fn put(&mut self, model: Option<Model<'static>>) {
        self.stage = None;
        self.facts = model.as_ref().map_or(Facts::NONE, Facts::new);
        (self.style, self.noise) = (None, Noise::OfPoint);
        let place = &raw mut MODEL;
        // SAFETY: nobody refers to it, since the stage has gone.
        unsafe { *place = model };
    }

    /// Has the model read one of the pictures that it brings along, or black.
    fn read_own(&mut self, number: u32) {
        let fed = &raw mut FED;
        // SAFETY: nobody keeps a reference to it.
        let fed = unsafe { &mut *fed };
        fed.fill(0);
        self.own = None;
        if let Some(pictures) = self.model().and_then(Model::pictures) {
            self.own = u16::try_from(number).ok();
            let mut rows = pictures.picture(number.into()).rows();
            for (y, row) in (0..pictures.shape().h).zip(fed.chunks_exact_mut(pictures.shape().row_len().max(1))) {
                rows.row(y, row);
            }
        }
    }

    fn refuse(&mut self, reason: &dyn Display) {
        self.text.clear();
        // What is longer than the buffer would not fit a panel either.
        let _ = write!(self.text, "{reason}");
        self.board.fault(&self.text);
        page::tell(format_args!("fault {}", self.text));
    }
}

/// Where to write a model file of `len` bytes; null where it is too large. The model before it goes.
#[unsafe(no_mangle)]
pub extern "C" fn file(len: usize) -> *mut u8 {
    let machine = machine();
    machine.put(None);
    if len > FILE_BYTES {
        machine.refuse(&format_args!("expected a model file of at most {FILE_BYTES} bytes, found {len}"));
        return ptr::null_mut();
    }
    (&raw mut FILE).cast()
}

/// Takes the model file of `len` bytes that was written; 1 if it can be drawn, 0 with an error on the panel if not.
#[unsafe(no_mangle)]
pub extern "C" fn load(len: usize) -> u32 {
    let machine = machine();
    machine.put(None);
    let file = &raw const FILE;
    // SAFETY: the page writes to it after a call of `file` alone, when the model has gone.
    let file: &'static File = unsafe { &*file };
    let bytes = file.0.get(..len).unwrap_or(&[]);
    let model = match Model::parse(bytes) {
        Ok(model) => model,
        Err(error) => {
            machine.refuse(&error);
            return 0;
        }
    };
    let facts = Facts::new(&model);
    let ([height, width, channels], codes) = (facts.fed, facts.dims + facts.beside());
    let fed = [height, width, channels].iter().map(|&side| side as usize).product::<usize>();
    if facts.arena_bytes as usize > ARENA_BYTES || codes as usize > MOST_CODES || fed > FED_BYTES {
        machine.refuse(&format_args!(
            "expected a model of at most {ARENA_BYTES} bytes of arena, {MOST_CODES} values and {FED_BYTES} bytes to \
             read, found {}, {codes} and {fed}",
            facts.arena_bytes
        ));
        return 0;
    }
    machine.text.clear();
    // A longer name is cut off.
    for letter in model.name().chars() {
        let _ = machine.text.push(letter);
    }
    machine.put(Some(model));
    machine.read_own(0);
    1
}

/// What the model is: see [`Facts`].
#[unsafe(no_mangle)]
pub extern "C" fn facts() -> *const Facts {
    &raw const machine().facts
}

/// The model's name, or why it was refused, in UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn text() -> *const u8 {
    machine().text.as_ptr()
}

/// Bytes of [`text`].
#[unsafe(no_mangle)]
pub extern "C" fn text_len() -> usize {
    machine().text.len()
}

/// What the model says for people, in UTF-8: the names of its classes (0), or the words of each input of a combination
/// (1), a line each. Null where it says nothing; else [`fact_len`] bytes.
#[unsafe(no_mangle)]
pub extern "C" fn fact(which: usize) -> *const u8 {
    let machine = machine();
    let key = ["classes", Model::WORDS].get(which);
    let about = machine.model().map(Model::about);
    let found = about.and_then(|about| about.metadata.into_iter().find(|(name, _)| Some(name) == key));
    let Some((_, text)) = found else { return ptr::null() };
    machine.fact_len = text.len();
    text.as_ptr()
}

/// Bytes of what [`fact`] found last.
#[unsafe(no_mangle)]
pub extern "C" fn fact_len() -> usize {
    machine().fact_len
}

/// The class that a seed draws: of a model whose classes are combinations one of those.
#[unsafe(no_mangle)]
pub extern "C" fn own_class(seed: u64) -> u32 {
    let Facts { classes, parts, .. } = machine().facts;
    match classes {
        0 => 0,
        _ if parts[0][0] > 0 => combination(seed, classes).map_or(0, u32::from),
        _ => (seed % u64::from(classes)) as u32,
    }
}

/// Takes a panel of so many pixels, with `colors` 0 to 4: two, 16 greys, 256 greys, 16 bits, 24 bits. 0 where it cannot
/// be.
#[unsafe(no_mangle)]
pub extern "C" fn panel(width: u32, height: u32, colors: usize) -> u32 {
    let (machine, pixels) = (machine(), width.saturating_mul(height) as usize);
    let Some(&colors) = Colors::ALL.get(colors).filter(|_| (1..=MOST_PIXELS).contains(&pixels)) else { return 0 };
    (machine.board.size, machine.board.colors) = (Size::new(width, height), colors);
    if machine.model().is_none() && !machine.text.is_empty() {
        machine.board.fault(&machine.text);
    }
    1
}

/// The panel: red, green, blue and opacity of each pixel, from left to right, then down.
#[unsafe(no_mangle)]
pub extern "C" fn pixels() -> *const [u8; 4] {
    machine().board.pixels.as_ptr()
}

/// Begins the show: gallery (0), walk (1), the walk of a class (2), mixtures of styles (3), noise (4), the way to the
/// middle of all styles (5) or the drum machine (6), from a seed, perhaps with words beside the picture.
#[unsafe(no_mangle)]
pub extern "C" fn begin(act: u32, class: u16, seed: u64, caption: u32) {
    let machine = machine();
    let Some(model) = machine.model() else { return };
    let act = match act {
        0 => Act::Gallery,
        1 => Act::Walk,
        3 => Act::Mix,
        4 => Act::Noise,
        5 => Act::Middle,
        6 => Act::Drums,
        _ => Act::Class(class),
    };
    // The page decides how long an act stays.
    let show = Show { seed, act, caption: caption != 0, auto_seconds: 0, ..Show::default() };
    let Some((arena, memory)) = machine.arena().split_at_mut_checked(model.arena_bytes()) else { return };
    match Generator::new(model, arena) {
        Ok(generator) => machine.stage = Some(Stage::open_with(generator, &show, Page, memory)),
        Err(error) => machine.refuse(&error),
    }
}

/// Draws the show's next image, if it is time: whether it did.
#[unsafe(no_mangle)]
pub extern "C" fn frame() -> u32 {
    let Machine { stage, board, .. } = machine();
    stage.as_mut().is_some_and(|stage| board.frame(stage)).into()
}

/// The board's button: goes on to the next act with the next frame.
#[unsafe(no_mangle)]
pub extern "C" fn press() {
    page::press();
}

/// Seed of the last image; on a model's own way the keyframe that it comes from.
#[unsafe(no_mangle)]
pub extern "C" fn shown_seed() -> u64 {
    machine().board.shown.1.from
}

/// Its step on the way to the next seed.
#[unsafe(no_mangle)]
pub extern "C" fn shown_step() -> u32 {
    machine().board.shown.1.step.into()
}

/// Its act: −2 gallery, −1 walk, −3 mixtures, −4 noise, −5 the middle, −6 the drum machine, −7 and below a picture of
/// the model's own, else the class.
#[unsafe(no_mangle)]
pub extern "C" fn shown_act() -> i32 {
    match machine().board.shown.0 {
        Act::Gallery => -2,
        Act::Walk => -1,
        Act::Mix => -3,
        Act::Noise => -4,
        Act::Middle => -5,
        Act::Class(class) => class.into(),
        Act::Drums => -6,
        Act::Picture(number) => -7 - i32::from(number),
    }
}

/// The first of its layers that follow a second style; −1 where none do.
#[unsafe(no_mangle)]
pub extern "C" fn shown_first() -> i32 {
    machine().board.shown.1.style.map_or(-1, |style| style.first.into())
}

/// Whether that is the middle of all styles.
#[unsafe(no_mangle)]
pub extern "C" fn shown_middle() -> u32 {
    machine().board.shown.1.style.is_some_and(|style| style.seed.is_none()).into()
}

/// Its seed, where it has one.
#[unsafe(no_mangle)]
pub extern "C" fn shown_style() -> u64 {
    machine().board.shown.1.style.and_then(|style| style.seed).unwrap_or(0)
}

/// How far they follow it, of 64.
#[unsafe(no_mangle)]
pub extern "C" fn shown_share() -> u32 {
    machine().board.shown.1.style.map_or(0, |style| style.share.into())
}

/// Where its noise comes from, as for [`noise`].
#[unsafe(no_mangle)]
pub extern "C" fn shown_noise_from() -> u32 {
    match machine().board.shown.1.noise {
        Noise::OfPoint => 0,
        Noise::Seed(_) => 1,
        Noise::Off => 2,
    }
}

/// Seed of its noise, where that has one of its own.
#[unsafe(no_mangle)]
pub extern "C" fn shown_noise() -> u64 {
    match machine().board.shown.1.noise {
        Noise::Seed(seed) => seed,
        Noise::OfPoint | Noise::Off => 0,
    }
}

/// The latent vector of a still image, `dims` codes, with a value for each class behind it.
#[unsafe(no_mangle)]
pub extern "C" fn codes() -> *mut i8 {
    machine().board.codes.as_mut_ptr()
}

/// Writes the latent vector at a step from a seed to the next to [`codes`], with a class or, below 0, the seed's own;
/// with `keyed` 1 it is a step of the model's own way, from the keyframe `seed`.
#[unsafe(no_mangle)]
pub extern "C" fn fill(seed: u64, step: u16, class: i32, keyed: u32) {
    let machine = machine();
    machine.board.codes.fill(0);
    let Some(model) = machine.model() else { return };
    let Some((latent, len)) =
        model.inputs().find_map(|(node, input)| Some((input.latent()?, usize::from(node.shape.c))))
    else {
        return;
    };
    let Some(codes) = machine.board.codes.get_mut(..len) else { return };
    let point = point(seed, step, class, keyed);
    match model.keyframes().filter(|_| point.of_keyframes) {
        Some(keyframes) => keyframes.fill(point, codes),
        None => point.fill(latent, codes),
    }
}

/// Has the layers of still images from `first` on follow the style of a seed, or with `middle` 1 that of the middle of
/// all, `share` of 64 of the way; none with `first` −1.
#[unsafe(no_mangle)]
pub extern "C" fn style(seed: u64, first: i32, share: u16, middle: u32) {
    let machine = machine();
    let (seed, end) = (Some(seed).filter(|_| middle == 0), machine.facts.styles as u16);
    machine.style = u16::try_from(first).ok().map(|first| Style { seed, first, end, share });
}

/// Where the noise of still images comes from: the image's seed (0), a seed of its own (1), nowhere (2).
#[unsafe(no_mangle)]
pub extern "C" fn noise(from: u32, seed: u64) {
    machine().noise = match from {
        0 => Noise::OfPoint,
        1 => Noise::Seed(seed),
        _ => Noise::Off,
    };
}

/// Has the model read one of the pictures that it brings along, or black where it has none.
#[unsafe(no_mangle)]
pub extern "C" fn own(number: u32) {
    machine().read_own(number);
}

/// Where to write the image that the model reads, row after row.
#[unsafe(no_mangle)]
pub extern "C" fn fed() -> *mut u8 {
    machine().own = None;
    (&raw mut FED).cast()
}

/// With 1 the page is handed the samples of sounds from now on, with 0 not.
#[unsafe(no_mangle)]
pub extern "C" fn listen(listens: u32) {
    page::listen(listens != 0);
}

/// Draws the image of [`codes`]; `caption` 0: with no words, 1: with room for words, 2: with words.
#[unsafe(no_mangle)]
pub extern "C" fn still(seed: u64, step: u16, class: i32, keyed: u32, caption: u32) {
    let machine = machine();
    let Some(model) = machine.model() else { return };
    let act = match (machine.own, u16::try_from(class)) {
        (Some(number), _) => Act::Picture(number),
        (None, Ok(class)) => Act::Class(class),
        (None, Err(_)) => Act::Walk,
    };
    let show = Show { seed, act, caption: caption != 0, ..Show::default() };
    let codes = (machine.facts.dims + machine.facts.beside()) as usize;
    let arena = machine.arena();
    let fed = &raw const FED;
    // SAFETY: nobody writes to it before this call is over.
    let fed: &[u8; FED_BYTES] = unsafe { &*fed };
    let point = Point { style: machine.style, noise: machine.noise, ..point(seed, step, class, keyed) };
    let still = Still { point, codes, fed, caption: caption == 2 };
    if let Err(error) = machine.board.still(model, arena, &show, still) {
        machine.refuse(&error);
    }
}

fn point(seed: u64, step: u16, class: i32, keyed: u32) -> Point {
    if keyed != 0 {
        return Point::keyframe(seed, seed.wrapping_add(1), step);
    }
    let point = Point::walk(seed, seed.wrapping_add(1), step);
    u16::try_from(class).map_or(point, |class| point.of_class(class))
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
