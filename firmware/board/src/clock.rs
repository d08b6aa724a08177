//! Time.

#[cfg(cycle_counter)]
use cortex_m::peripheral::{DCB, DWT};
#[cfg(cycle_counter)]
use embedded_hal::delay::DelayNs;

/// A free-running counter of 32 bits.
pub trait Timer: Copy {
    /// Ticks since some time ago, wrapping at 2³².
    fn now(self) -> u32;

    /// Ticks a second.
    fn hertz(self) -> u32;
}

/// The cycle counter of the debug unit: 32 bits, one tick a cycle, wrapping.
///
/// Armv7-M Architecture Reference Manual (DDI 0403), C1.8.8 "Cycle counter"; Armv8-M has the same. Cortex-M0 has none.
#[cfg(cycle_counter)]
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    hertz: u32,
}

#[cfg(cycle_counter)]
impl Clock {
    /// Starts the counter of a processor that runs at `hertz`.
    pub fn start(mut debug: DCB, mut counter: DWT, hertz: u32) -> Self {
        debug.enable_trace();
        // Cortex-M7 locks the unit against software; on others this does nothing.
        DWT::unlock();
        counter.enable_cycle_counter();
        Self { hertz }
    }
}

#[cfg(cycle_counter)]
impl Timer for Clock {
    fn now(self) -> u32 {
        DWT::cycle_count()
    }

    fn hertz(self) -> u32 {
        self.hertz
    }
}

#[cfg(cycle_counter)]
impl DelayNs for Clock {
    fn delay_ns(&mut self, nanoseconds: u32) {
        let start = self.now();
        // Below 2³² for any clock up to 1 GHz, because the argument is below 4.3 seconds.
        let cycles = u64::from(nanoseconds) * u64::from(self.hertz) / 1_000_000_000;
        while u64::from(self.now().wrapping_sub(start)) < cycles {}
    }
}
