//! A speaker on GP22: the width of its pulses is the sample.
//!
//! PWM slice 3 makes the pulses, 61 000 a second of 2048 widths each, far above hearing. Slice 4, which has no pin,
//! wraps once a sample; its interrupt takes the next one from a queue, into which the show puts them.

use core::cell::RefCell;

use cortex_m::interrupt::{Mutex, free};
use cortex_m::singleton;
use edgegen_app::Speaker;
use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::interrupt::typelevel::{Handler, Interrupt, PWM_IRQ_WRAP};
use embassy_rp::pac::PWM;
use embassy_rp::pac::pwm::regs::ChCc;
use embassy_rp::peripherals::{PIN_22, PWM_SLICE3, PWM_SLICE4};
use embassy_rp::pwm::{Config, Pwm};
use embassy_rp::{Peri, bind_interrupts};
use heapless::spsc::{Consumer, Producer, Queue};

/// Widths of a pulse, 0 … 2047 of so many counts.
const LEVELS: u16 = 2048;
/// The width of silence.
const SILENCE: u16 = LEVELS / 2;
/// Samples that wait: 64 ms at 8 kHz, longer than a panel takes for all its pixels. One place of a queue stays empty.
const WAITING: usize = 512 + 1;
/// The slices by number.
const PULSES: usize = 3;
const CLOCK: usize = 4;

/// What the interrupt takes samples from.
static SAMPLES: Mutex<RefCell<Option<Consumer<'static, i16>>>> = Mutex::new(RefCell::new(None));

bind_interrupts!(struct Interrupts {
    PWM_IRQ_WRAP => Player;
});

struct Player;

impl Handler<PWM_IRQ_WRAP> for Player {
    unsafe fn on_interrupt() {
        PWM.intr().write(|flags| flags.0 = 1 << CLOCK);
        let sample = free(|token| SAMPLES.borrow(token).borrow_mut().as_mut().and_then(Consumer::dequeue));
        if let Some(sample) = sample {
            // Of 65536 levels as many to one width each; the slice takes it over when a pulse ends.
            let width = (i32::from(sample) + 32768) as u32 / (65536 / u32::from(LEVELS));
            PWM.ch(PULSES).cc().write_value(ChCc(width));
        }
    }
}

/// The pin, and the samples on their way to it.
pub struct Pin {
    samples: Producer<'static, i16>,
    _pulses: Pwm<'static>,
    clock: Pwm<'static>,
}

impl Pin {
    /// Silence on the pin.
    pub fn new(
        pin: Peri<'static, PIN_22>,
        pulses: Peri<'static, PWM_SLICE3>,
        clock: Peri<'static, PWM_SLICE4>,
    ) -> Self {
        let queue = singleton!(: Queue<i16, WAITING> = Queue::new()).expect("a board has one speaker");
        let (samples, taken) = queue.split();
        free(|token| SAMPLES.borrow(token).replace(Some(taken)));
        let mut config = Config::default();
        (config.top, config.compare_a) = (LEVELS - 1, SILENCE);
        let pulses = Pwm::new_output_a(pulses, pin, config);
        let mut config = Config::default();
        config.enable = false;
        Self { samples, _pulses: pulses, clock: Pwm::new_free(clock, config) }
    }
}

impl Speaker for Pin {
    fn start(&mut self, rate: u32) {
        // A counter has 16 bits, of which slow rates need a divided clock; to a cycle exact, which is 0.02 % at 16 kHz.
        let cycles = (clk_sys_freq() / rate.max(1)).max(LEVELS.into());
        let divider = (cycles.div_ceil(1 << 16)).min(255);
        let mut config = Config::default();
        config.divider = (divider as u8).into();
        config.top = (cycles / divider - 1).min(u16::MAX.into()) as u16;
        self.clock.set_config(&config);
        PWM.inte().modify(|enabled| enabled.0 |= 1 << CLOCK);
        PWM_IRQ_WRAP::unpend();
        // SAFETY: no critical section is built on this interrupt being off.
        unsafe { PWM_IRQ_WRAP::enable() };
    }

    fn take(&mut self, sample: i16) -> bool {
        self.samples.enqueue(sample).is_ok()
    }
}
