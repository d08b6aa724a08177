//! Asynchronous drivers without an executor.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embedded_graphics::primitives::Rectangle;

use crate::overlap::RowBus;

/// A [`RowBus`] from a function that sends asynchronously. There is no executor: a transfer is begun by looking at its future once, and
/// ended by looking until it is ready.
///
/// The function takes what it sends with (the bus and its pins), the window, a buffer and how many bytes of it; it gives
/// sender and buffer back. Only its first wait overlaps with other work: let it set the window with the blocking half
/// of the driver, and send the pixels with the other.
///
/// ```
/// # use edgegen_app::{DoubleBuffered, Polled, PanelColor};
/// # use embedded_graphics::{geometry::Size, pixelcolor::Rgb565, primitives::Rectangle, prelude::*};
/// # struct Spi;
/// # impl Spi {
/// #     fn set_window(&mut self, _: Rectangle) {}
/// #     async fn write(&mut self, _: &[u8]) -> Result<(), &'static str> { Ok(()) }
/// # }
/// # let spi = Spi;
/// # let buffers = [0; 2].map(|_| &mut *vec![0u8; 640].leak());
/// let under_way = core::pin::pin!(None);
/// let bus = Polled::new(spi, under_way, async |mut spi: Spi, area, buffer, bytes| {
///     spi.set_window(area);                          // blocking: a few bytes
///     let sent = spi.write(&buffer[..bytes]).await;  // by DMA
///     (spi, buffer, sent)
/// });
/// let mut display = DoubleBuffered::<_, Rgb565>::new(bus, Size::new(320, 240), buffers);
/// display.clear(Rgb565::new(0, 0, 0))?;
/// # Ok::<(), &str>(())
/// ```
pub struct Polled<'a, T, M, F, E> {
    /// Unless a transfer is under way.
    sender: Option<T>,
    send: M,
    under_way: Pin<&'a mut Option<F>>,
    /// The end of a transfer that was over as soon as it began.
    early: Option<(&'static mut [u8], Result<(), E>)>,
}

impl<'a, T, M, F, E> Polled<'a, T, M, F, E>
where
    M: FnMut(T, Rectangle, &'static mut [u8], usize) -> F,
    F: Future<Output = (T, &'static mut [u8], Result<(), E>)>,
{
    /// `under_way` is the place for the future of a transfer, empty: `core::pin::pin!(None)`.
    pub fn new(sender: T, under_way: Pin<&'a mut Option<F>>, send: M) -> Self {
        Self { sender: Some(sender), send, under_way, early: None }
    }

    /// Looks at the transfer under way; its buffer and how it went, if it is over. Without one it is over with no buffer.
    fn poll(&mut self) -> Poll<(&'static mut [u8], Result<(), E>)> {
        let Some(future) = self.under_way.as_mut().as_pin_mut() else { return Poll::Ready((&mut [], Ok(()))) };
        future.poll(&mut Context::from_waker(Waker::noop())).map(|(sender, buffer, sent)| {
            self.under_way.set(None);
            self.sender = Some(sender);
            (buffer, sent)
        })
    }
}

impl<T, M, F, E> RowBus for Polled<'_, T, M, F, E>
where
    M: FnMut(T, Rectangle, &'static mut [u8], usize) -> F,
    F: Future<Output = (T, &'static mut [u8], Result<(), E>)>,
{
    type Error = E;

    fn start(&mut self, area: Rectangle, buffer: &'static mut [u8], bytes: usize) {
        // It is there: no other transfer is under way.
        let Some(sender) = self.sender.take() else { return };
        let future = (self.send)(sender, area, buffer, bytes);
        self.under_way.set(Some(future));
        // A future does nothing before it is looked at. One that is ready at once stays so: it is kept until it is asked for.
        self.early = match self.poll() {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        };
    }

    fn finish(&mut self) -> (&'static mut [u8], Result<(), E>) {
        if let Some(ended) = self.early.take() {
            return ended;
        }
        loop {
            if let Poll::Ready(ended) = self.poll() {
                return ended;
            }
            core::hint::spin_loop();
        }
    }
}

impl<T: fmt::Debug, M, F, E> fmt::Debug for Polled<'_, T, M, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled").field("sender", &self.sender).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DoubleBuffered;
    use core::future::poll_fn;
    use core::pin::pin;
    use embedded_graphics::draw_target::DrawTarget;
    use embedded_graphics::geometry::{Point, Size};
    use embedded_graphics::pixelcolor::Rgb565;
    use std::cell::{Cell, RefCell};
    use std::vec::Vec;
    use std::{format, vec};

    #[test]
    fn an_asynchronous_bus_starts_at_once_and_ends_when_asked() {
        // What happened, in order: the sender writes it, and two looks pass before its transfer is over.
        let log = RefCell::new(Vec::new());
        let under_way = pin!(None);
        let looks = Cell::new(0);
        let bus = Polled::new(0u8, under_way, async |count: u8, area: Rectangle, buffer, bytes| {
            log.borrow_mut().push(format!("start {count}: {} bytes at {}", bytes, area.top_left));
            poll_fn(|_| {
                looks.set(looks.get() + 1);
                if looks.get() % 3 == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            log.borrow_mut().push(format!("end {count}"));
            (count + 1, buffer, if count == 2 { Err("no answer") } else { Ok(()) })
        });
        let buffers = [0; 2].map(|_| &mut *vec![0; 8].leak());
        let mut display = DoubleBuffered::<_, Rgb565>::new(bus, Size::new(4, 4), buffers);
        let row = |y| Rectangle::new(Point::new(0, y), Size::new(4, 1));
        for y in 0..3 {
            display.fill_contiguous(&row(y), [Rgb565::new(1, 2, 3); 4]).unwrap();
            log.borrow_mut().push(format!("made {y}"));
        }
        assert_eq!(display.fill_contiguous(&row(3), [Rgb565::new(1, 2, 3); 4]), Err("no answer"));
        display.fill_contiguous(&row(3), [Rgb565::new(1, 2, 3); 4]).unwrap();
        let expected = "start 0: 8 bytes at 0, 0, made 0, end 0, start 1: 8 bytes at 0, 1, made 1, end 1, \
                        start 2: 8 bytes at 0, 2, made 2, end 2, start 3: 8 bytes at 0, 3";
        assert_eq!(log.borrow().join(", "), expected);
    }
}
