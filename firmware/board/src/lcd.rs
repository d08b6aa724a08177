//! Colour panels on SPI: set up through mipidsi, then fed by DMA while the processor makes the next row.
//!
//! The controllers that mipidsi knows take pixels by the same three commands (MIPI Display Command Set): a range of columns, a
//! range of rows, then the pixels of that window. [`Lcd::send`] sends those, for the app's [`Polled`] and [`DoubleBuffered`], and
//! [`Lcd::show`] puts all of them together. A [`Glass`] says what of the memory is seen, and how.

use core::convert::Infallible;
use core::fmt::Debug;
use core::pin::pin;

use edgegen_app::{DoubleBuffered, PanelSetup, Platform, Polled, Show, show};
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiBus;
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};
use mipidsi::Builder;
use mipidsi::interface::{self, InterfacePixelFormat, SpiInterface};
use mipidsi::models::Model;
use mipidsi::options::{ColorInversion, ColorOrder, Orientation, Rotation};

/// Columns of the window: the first and the last, 16 bits each.
const SET_COLUMNS: u8 = 0x2A;
/// Rows of the window.
const SET_ROWS: u8 = 0x2B;
/// The window's pixels follow.
const WRITE_MEMORY: u8 = 0x2C;

/// Bytes for each of the two buffers: an image row of 28 pixels, enlarged eight times, and some more.
const ROW_BYTES: usize = 4096;

/// What mipidsi sends its commands through.
pub type Interface<'a, S, P> = SpiInterface<'a, ExclusiveDevice<&'a mut S, &'a mut P, NoDelay>, &'a mut P>;

/// A panel's wires.
#[derive(Debug)]
pub struct Lcd<S, P> {
    bus: S,
    /// Low while the panel listens.
    select: P,
    /// Low for commands, high for data.
    data_command: P,
    /// For the pixels that mipidsi might send, and does not while it sets a panel up.
    scratch: [u8; 2],
    /// What the controller calls the picture's first column and row.
    origin: (u16, u16),
}

/// What a panel shows of its controller's memory, and how it is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    /// Columns and rows of the memory.
    memory: (u16, u16),
    size: (u16, u16),
    offset: (u16, u16),
    rotation: Rotation,
    inverted: bool,
    bgr: bool,
}

impl Glass {
    /// All of the controller's memory, upright, driven as after power-on.
    pub const fn of<M: Model>() -> Self {
        let memory = M::FRAMEBUFFER_SIZE;
        Self { memory, size: memory, offset: (0, 0), rotation: Rotation::Deg0, inverted: false, bgr: false }
    }

    /// With so many columns and rows.
    #[must_use]
    pub const fn sized(self, columns: u16, rows: u16) -> Self {
        Self { size: (columns, rows), ..self }
    }

    /// Beginning with that column and row of the memory.
    #[must_use]
    pub const fn at(self, column: u16, row: u16) -> Self {
        Self { offset: (column, row), ..self }
    }

    /// With the picture turned clockwise.
    #[must_use]
    pub const fn rotated(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// Made for inverted drive, as IPS panels are.
    #[must_use]
    pub const fn inverted(self) -> Self {
        Self { inverted: true, ..self }
    }

    /// With blue where the controller expects red.
    #[must_use]
    pub const fn bgr(self) -> Self {
        Self { bgr: true, ..self }
    }

    /// A board's glass, changed as a person says.
    #[must_use]
    pub fn fitted(self, setup: &PanelSetup) -> Self {
        const TURNS: [Rotation; 4] = [Rotation::Deg0, Rotation::Deg90, Rotation::Deg180, Rotation::Deg270];
        Self {
            size: setup.size.unwrap_or(self.size),
            // Another glass begins somewhere else.
            offset: setup.offset.unwrap_or(if setup.size.is_some() { (0, 0) } else { self.offset }),
            rotation: self.rotation.rotate(TURNS[usize::from(setup.quarters % 4)]),
            inverted: self.inverted != setup.invert,
            bgr: self.bgr != setup.bgr,
            ..self
        }
    }

    /// Tells mipidsi all of it; where the glass reaches beyond the memory, `Builder::init` returns an error.
    pub fn prepare<B, M, R>(&self, builder: Builder<B, M, R>) -> Builder<B, M, R>
    where
        B: interface::Interface,
        M: Model<ColorFormat: InterfacePixelFormat<B::Word>>,
        R: OutputPin,
    {
        let inversion = if self.inverted { ColorInversion::Inverted } else { ColorInversion::Normal };
        let order = if self.bgr { ColorOrder::Bgr } else { ColorOrder::Rgb };
        let builder = builder.display_size(self.size.0, self.size.1).display_offset(self.offset.0, self.offset.1);
        builder.orientation(Orientation::new().rotate(self.rotation)).invert_colors(inversion).color_order(order)
    }

    /// Width and height of the picture.
    pub fn picture(&self) -> Size {
        let (columns, rows) = (self.size.0.into(), self.size.1.into());
        if self.rotation.is_horizontal() { Size::new(columns, rows) } else { Size::new(rows, columns) }
    }

    /// What the controller calls the picture's first column and row: it counts from the other end where the picture is
    /// turned that way, and then the memory's part beyond the glass comes first.
    fn origin(&self) -> (u16, u16) {
        let beyond = |memory: u16, size: u16, offset: u16| memory.saturating_sub(size).saturating_sub(offset);
        let (x, y) = self.offset;
        let (last_x, last_y) = (beyond(self.memory.0, self.size.0, x), beyond(self.memory.1, self.size.1, y));
        match self.rotation {
            Rotation::Deg0 => (x, y),
            Rotation::Deg90 => (y, last_x),
            Rotation::Deg180 => (last_x, last_y),
            Rotation::Deg270 => (last_y, x),
        }
    }
}

impl<S, P> Lcd<S, P>
where
    S: SpiBus,
    P: OutputPin<Error = Infallible>,
{
    /// A panel that has not been set up.
    pub fn new(bus: S, mut select: P, data_command: P) -> Self {
        let Ok(()) = select.set_high();
        Self { bus, select, data_command, scratch: [0; 2], origin: (0, 0) }
    }

    /// For `mipidsi::Builder`, which sets the panel up.
    pub fn interface(&mut self) -> Interface<'_, S, P> {
        let Ok(device) = ExclusiveDevice::new_no_delay(&mut self.bus, &mut self.select);
        SpiInterface::new(device, &mut self.data_command, &mut self.scratch)
    }

    fn command(&mut self, command: u8, arguments: &[u8]) -> Result<(), S::Error> {
        let Ok(()) = self.data_command.set_low();
        self.bus.write(&[command])?;
        self.bus.flush()?;
        let Ok(()) = self.data_command.set_high();
        self.bus.write(arguments)?;
        self.bus.flush()
    }
}

impl<S, P> Lcd<S, P>
where
    S: SpiBus + embedded_hal_async::spi::SpiBus,
    P: OutputPin<Error = Infallible>,
{
    /// Shows `model` for ever on a panel that was set up as `glass`: a row travels while the next one is made.
    ///
    /// # Panics
    ///
    /// When it is called a second time: there are buffers for one panel.
    pub fn show(mut self, glass: &Glass, model: &[u8], arena: &mut [i8], first: &Show, board: impl Platform) -> !
    where
        S::Error: Debug,
    {
        let rows = cortex_m::singleton!(: [[u8; ROW_BYTES]; 2] = [[0; ROW_BYTES]; 2]).expect("called once");
        let rows = rows.each_mut().map(|row| &mut row[..]);
        let under_way = pin!(None);
        self.origin = glass.origin();
        let bus = Polled::new(self, under_way, Self::send);
        show(&mut DoubleBuffered::<_, Rgb565>::new(bus, glass.picture(), rows), model, arena, first, board)
    }

    /// Sends the first `bytes` of `buffer` to a window that lies on the panel, the pixels by DMA; gives all back at the end, and how it went.
    pub async fn send(
        mut self,
        area: Rectangle,
        buffer: &'static mut [u8],
        bytes: usize,
    ) -> (Self, &'static mut [u8], Result<(), S::Error>) {
        let Ok(()) = self.select.set_low();
        let sent = self.send_pixels(area, buffer.get(..bytes).unwrap_or_default()).await;
        let Ok(()) = self.select.set_high();
        (self, buffer, sent)
    }

    async fn send_pixels(&mut self, area: Rectangle, pixels: &[u8]) -> Result<(), S::Error> {
        self.command(SET_COLUMNS, &range(self.origin.0, area.top_left.x, area.size.width))?;
        self.command(SET_ROWS, &range(self.origin.1, area.top_left.y, area.size.height))?;
        self.command(WRITE_MEMORY, &[])?;
        embedded_hal_async::spi::SpiBus::write(&mut self.bus, pixels).await
    }
}

/// First and last of `count` columns or rows from `first` on, as a controller wants them that calls the picture's first
/// `origin`.
fn range(origin: u16, first: i32, count: u32) -> [u8; 4] {
    let first = i32::from(origin) + first;
    let last = first + count as i32 - 1;
    let ([a, b], [c, d]) = ((first as u16).to_be_bytes(), (last as u16).to_be_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::task::Poll;
    use edgegen_app::{PanelColor, RowBus};
    use embedded_graphics::draw_target::DrawTarget;
    use embedded_graphics::geometry::{Dimensions, Point};
    use mipidsi::models::ST7789;
    use std::boxed::Box;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;
    use std::{format, vec};

    /// What is on the wires: levels of the pins and bytes, in the order in which they change.
    #[derive(Clone, Debug, PartialEq)]
    enum Wire {
        Select(bool),
        Command(u8),
        Data(Vec<u8>),
        /// Sent by DMA: begun, and through.
        Begun(Vec<u8>),
        Through,
    }

    #[derive(Clone, Debug, Default)]
    struct Wires {
        log: Rc<RefCell<Vec<Wire>>>,
        data: Rc<RefCell<bool>>,
        failing: Rc<RefCell<bool>>,
    }

    #[derive(Debug)]
    struct Pin(Wires, bool);

    impl embedded_hal::digital::ErrorType for Pin {
        type Error = Infallible;
    }

    impl OutputPin for Pin {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.set(false)
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.set(true)
        }
    }

    impl Pin {
        fn set(&mut self, level: bool) -> Result<(), Infallible> {
            if self.1 {
                *self.0.data.borrow_mut() = level;
            } else {
                self.0.log.borrow_mut().push(Wire::Select(level));
            }
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Bus(Wires);

    #[derive(Debug)]
    struct NoAnswer;

    impl embedded_hal::spi::Error for NoAnswer {
        fn kind(&self) -> embedded_hal::spi::ErrorKind {
            embedded_hal::spi::ErrorKind::Other
        }
    }

    impl embedded_hal::spi::ErrorType for Bus {
        type Error = NoAnswer;
    }

    impl SpiBus for Bus {
        fn read(&mut self, _: &mut [u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        fn write(&mut self, words: &[u8]) -> Result<(), NoAnswer> {
            let wire = match words {
                &[command] if !*self.0.data.borrow() => Wire::Command(command),
                [] => return Ok(()),
                words => Wire::Data(words.to_vec()),
            };
            self.0.log.borrow_mut().push(wire);
            Ok(())
        }

        fn transfer(&mut self, _: &mut [u8], _: &[u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        fn transfer_in_place(&mut self, _: &mut [u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        fn flush(&mut self) -> Result<(), NoAnswer> {
            Ok(())
        }
    }

    impl embedded_hal_async::spi::SpiBus for Bus {
        async fn read(&mut self, _: &mut [u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        async fn write(&mut self, words: &[u8]) -> Result<(), NoAnswer> {
            if *self.0.failing.borrow() {
                return Err(NoAnswer);
            }
            assert!(*self.0.data.borrow(), "pixels are data");
            self.0.log.borrow_mut().push(Wire::Begun(words.to_vec()));
            // Not through before it is asked for a third time.
            let mut asked = 0;
            core::future::poll_fn(|_| {
                asked += 1;
                if asked < 3 { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            self.0.log.borrow_mut().push(Wire::Through);
            Ok(())
        }

        async fn transfer(&mut self, _: &mut [u8], _: &[u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        async fn transfer_in_place(&mut self, _: &mut [u8]) -> Result<(), NoAnswer> {
            unreachable!("a panel is not read")
        }

        async fn flush(&mut self) -> Result<(), NoAnswer> {
            Ok(())
        }
    }

    fn lcd(wires: &Wires) -> Lcd<Bus, Pin> {
        let lcd = Lcd::new(Bus(wires.clone()), Pin(wires.clone(), false), Pin(wires.clone(), true));
        assert_eq!(wires.log.take(), [Wire::Select(true)]);
        lcd
    }

    fn buffers(bytes: usize) -> [&'static mut [u8]; 2] {
        [0; 2].map(|_| &mut *Box::leak(vec![0; bytes].into_boxed_slice()))
    }

    #[test]
    fn a_window_and_its_pixels() {
        let wires = Wires::default();
        let under_way = pin!(None);
        let mut bus = Polled::new(lcd(&wires), under_way, Lcd::send);
        let [buffer, _] = buffers(8);
        buffer.copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        bus.start(Rectangle::new(Point::new(300, 2), Size::new(3, 1)), buffer, 6);
        let begun = [
            Wire::Select(false),
            Wire::Command(0x2A),
            Wire::Data(vec![1, 44, 1, 46]),
            Wire::Command(0x2B),
            Wire::Data(vec![0, 2, 0, 2]),
            Wire::Command(0x2C),
            Wire::Begun(vec![1, 2, 3, 4, 5, 6]),
        ];
        assert_eq!(wires.log.take(), begun, "begun, and left alone");
        let (buffer, sent) = bus.finish();
        assert!(sent.is_ok());
        assert_eq!(buffer.len(), 8, "all of the buffer is given back");
        assert_eq!(wires.log.take(), [Wire::Through, Wire::Select(true)]);
    }

    #[test]
    fn an_error_comes_back_and_the_next_transfer_works() {
        let wires = Wires::default();
        let under_way = pin!(None);
        let mut bus = Polled::new(lcd(&wires), under_way, Lcd::send);
        let [buffer, _] = buffers(2);
        let area = Rectangle::new(Point::zero(), Size::new(1, 1));
        *wires.failing.borrow_mut() = true;
        bus.start(area, buffer, 2);
        let (buffer, sent) = bus.finish();
        assert_eq!(format!("{sent:?}"), "Err(NoAnswer)");
        assert_eq!(wires.log.borrow().last(), Some(&Wire::Select(true)), "the panel is let go");
        *wires.failing.borrow_mut() = false;
        bus.start(area, buffer, 2);
        assert!(bus.finish().1.is_ok());
    }

    struct Instantly;

    impl embedded_hal::delay::DelayNs for Instantly {
        fn delay_ns(&mut self, _: u32) {}
    }

    /// What follows each command of a set.
    fn told(wires: &Wires, commands: &[u8]) -> Vec<Vec<u8>> {
        let log: Vec<_> = wires.log.take().into_iter().filter(|wire| !matches!(wire, Wire::Select(_))).collect();
        let pairs = log.iter().zip(&log[1..]);
        let data = pairs.filter_map(|(wire, next)| match (wire, next) {
            (Wire::Command(command), Wire::Data(data)) if commands.contains(command) => Some(data.clone()),
            _ => None,
        });
        data.collect()
    }

    #[test]
    fn a_glass_begins_where_mipidsi_says() {
        for quarters in 0..4 {
            let setup =
                PanelSetup { quarters, size: Some((135, 240)), offset: Some((52, 40)), ..PanelSetup::default() };
            let glass = Glass::of::<ST7789>().rotated(Rotation::Deg90).inverted().fitted(&setup);
            let wires = Wires::default();
            let mut panel = lcd(&wires);
            let builder = glass.prepare(Builder::new(ST7789, panel.interface()));
            let mut display = builder.init(&mut Instantly).unwrap();
            assert!(wires.log.take().contains(&Wire::Command(0x21)), "inverted");
            assert_eq!(display.bounding_box().size, glass.picture());
            display.set_pixel(3, 5, Rgb565::new(0, 0, 0)).unwrap();
            let expected = told(&wires, &[SET_COLUMNS, SET_ROWS]);
            let (x, y) = glass.origin();
            assert_eq!(expected, [range(x, 3, 1).to_vec(), range(y, 5, 1).to_vec()], "{quarters} quarter turns");
        }
    }

    #[test]
    fn a_setup_changes_what_it_names() {
        let own = Glass::of::<ST7789>().sized(240, 240).rotated(Rotation::Deg270).inverted();
        assert_eq!(own.fitted(&PanelSetup::default()), own);
        let part = own.at(26, 1);
        assert_eq!(part.fitted(&PanelSetup::parse("size=240x240")), own);
        assert_eq!(part.fitted(&PanelSetup::parse("size=240x240 offset=26,1")), part);
        let other = own.fitted(&PanelSetup::parse("rotate=180 invert bgr size=240x280 offset=0,20"));
        let expected = Glass::of::<ST7789>().sized(240, 280).rotated(Rotation::Deg90).bgr();
        assert_eq!(other, Glass { offset: (0, 20), ..expected });
        assert_eq!((own.picture(), other.picture()), (Size::new(240, 240), Size::new(280, 240)));
    }

    #[test]
    fn a_glass_beyond_the_memory_is_refused() {
        let wires = Wires::default();
        let mut panel = lcd(&wires);
        let glass = Glass::of::<ST7789>().fitted(&PanelSetup::parse("offset=1,0"));
        assert!(glass.prepare(Builder::new(ST7789, panel.interface())).init(&mut Instantly).is_err());
    }

    #[test]
    fn rows_travel_while_the_next_are_drawn() {
        let wires = Wires::default();
        let under_way = pin!(None);
        let bus = Polled::new(lcd(&wires), under_way, Lcd::send);
        let mut display = DoubleBuffered::<_, Rgb565>::new(bus, Size::new(4, 4), buffers(8));
        let colors = [255, 0].map(|level| Rgb565::from_grey(level, Point::zero()));
        for y in 0..2 {
            let row = Rectangle::new(Point::new(0, y), Size::new(4, 1));
            display.fill_contiguous(&row, [colors[y as usize]; 4]).unwrap();
            let through = wires.log.borrow().iter().filter(|&wire| *wire == Wire::Through).count();
            assert_eq!(through, y as usize, "the row before this one is through, this one is not");
        }
        let rows: Vec<Wire> = wires.log.take().into_iter().filter(|wire| matches!(wire, Wire::Begun(_))).collect();
        assert_eq!(rows, [Wire::Begun(vec![255; 8]), Wire::Begun(vec![0; 8])]);
    }
}
