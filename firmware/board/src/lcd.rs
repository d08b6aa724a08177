//! Colour panels on SPI: set up through mipidsi, then fed by DMA while the processor makes the next row.
//!
//! The controllers that mipidsi knows take pixels by the same three commands (MIPI Display Command Set): a range of columns, a
//! range of rows, then the pixels of that window. [`Lcd::send`] sends those, for the app's [`Polled`] and [`DoubleBuffered`], and
//! [`Lcd::show`] puts all of them together.

use core::convert::Infallible;
use core::fmt::Debug;
use core::pin::pin;

use edgegen_app::{DoubleBuffered, Platform, Polled, Show, show};
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiBus;
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};
use mipidsi::interface::SpiInterface;

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
}

impl<S, P> Lcd<S, P>
where
    S: SpiBus,
    P: OutputPin<Error = Infallible>,
{
    /// A panel that has not been set up.
    pub fn new(bus: S, mut select: P, data_command: P) -> Self {
        let Ok(()) = select.set_high();
        Self { bus, select, data_command, scratch: [0; 2] }
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
    /// Shows `model` for ever on a panel of `size` pixels that is set up: a row travels while the next one is made.
    ///
    /// # Panics
    ///
    /// When it is called a second time: there are buffers for one panel.
    pub fn show(self, size: Size, model: &[u8], arena: &mut [i8], first: &Show, board: impl Platform) -> !
    where
        S::Error: Debug,
    {
        let rows = cortex_m::singleton!(: [[u8; ROW_BYTES]; 2] = [[0; ROW_BYTES]; 2]).expect("called once");
        let rows = rows.each_mut().map(|row| &mut row[..]);
        let under_way = pin!(None);
        let bus = Polled::new(self, under_way, Self::send);
        show(&mut DoubleBuffered::<_, Rgb565>::new(bus, size, rows), model, arena, first, board)
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
        self.command(SET_COLUMNS, &range(area.top_left.x, area.size.width))?;
        self.command(SET_ROWS, &range(area.top_left.y, area.size.height))?;
        self.command(WRITE_MEMORY, &[])?;
        embedded_hal_async::spi::SpiBus::write(&mut self.bus, pixels).await
    }
}

/// First and last of `count` columns or rows, as a panel wants them.
fn range(first: i32, count: u32) -> [u8; 4] {
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
    use embedded_graphics::geometry::Point;
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
