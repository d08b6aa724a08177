//! The 5×5 LEDs as a panel of 16 greys, scanned row by row by SysTick.
//!
//! A row lights for 2 ms in eight turns of 1, 2, 4, … 128 parts: in each turn the LEDs whose brightness has that bit are on
//! (bit angle modulation). Brightness is the square of the grey level, since the eye takes equal steps of light for
//! smaller ones the brighter they are. That makes 100 pictures a second and 4000 short interrupts.

use core::cell::RefCell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicU8, Ordering};

use cortex_m::interrupt::{Mutex, free};
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use embassy_nrf::gpio::Output;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Gray4, GrayColor};

/// LEDs in a row, and rows.
pub const SIDE: usize = 5;
/// Turns of a row: bits of a brightness.
const TURNS: u8 = 8;
/// Processor cycles of the shortest turn: 2 ms · 64 MHz / 255.
const PART: u32 = 502;

/// Brightness of each LED, 0…225.
static BRIGHTNESS: [AtomicU8; SIDE * SIDE] = [const { AtomicU8::new(0) }; SIDE * SIDE];
/// What the interrupt works with.
static SCAN: Mutex<RefCell<Option<Scan>>> = Mutex::new(RefCell::new(None));

struct Scan {
    timer: SYST,
    /// High lights a row, if a column is low.
    rows: [Output<'static>; SIDE],
    columns: [Output<'static>; SIDE],
    row: usize,
    turn: u8,
}

/// The LEDs, as something to draw on.
pub struct Leds(());

impl Leds {
    /// Starts the scanning; the pins are in the order of the board's names, all dark (rows low, columns high).
    pub fn start(mut timer: SYST, rows: [Output<'static>; SIDE], columns: [Output<'static>; SIDE]) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PART - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        free(|token| SCAN.borrow(token).replace(Some(Scan { timer, rows, columns, row: SIDE - 1, turn: TURNS - 1 })));
        Self(())
    }
}

impl Scan {
    /// Begins the next turn.
    fn step(&mut self) {
        self.turn += 1;
        if self.turn == TURNS {
            self.rows[self.row].set_low();
            (self.row, self.turn) = ((self.row + 1) % SIDE, 0);
        }
        // The timer has just begun this turn, and takes the length of the next one when it is through.
        self.timer.set_reload((PART << ((self.turn + 1) % TURNS)) - 1);
        for (x, column) in self.columns.iter_mut().enumerate() {
            let brightness = BRIGHTNESS[self.row * SIDE + x].load(Ordering::Relaxed);
            if brightness >> self.turn & 1 == 1 { column.set_low() } else { column.set_high() }
        }
        self.rows[self.row].set_high();
    }
}

#[exception]
fn SysTick() {
    free(|token| {
        if let Some(scan) = SCAN.borrow(token).borrow_mut().as_mut() {
            scan.step();
        }
    });
}

impl DrawTarget for Leds {
    type Color = Gray4;
    type Error = Infallible;

    fn draw_iter<P: IntoIterator<Item = Pixel<Gray4>>>(&mut self, pixels: P) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            if let (Ok(x @ 0..SIDE), Ok(y @ 0..SIDE)) = (usize::try_from(at.x), usize::try_from(at.y)) {
                BRIGHTNESS[y * SIDE + x].store(color.luma() * color.luma(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl OriginDimensions for Leds {
    fn size(&self) -> Size {
        Size::new(SIDE as u32, SIDE as u32)
    }
}
