//! Asking the graphics processor for a framebuffer, through its mailbox.
//!
//! github.com/raspberrypi/firmware/wiki: "Accessing mailboxes" and "Mailbox property interface".

use crate::registers::{MAILBOX, read, write};

const READ: usize = MAILBOX;
const STATUS: usize = MAILBOX + 0x18;
const WRITE: usize = MAILBOX + 0x20;
const STATUS_FULL: u32 = 1 << 31;
const STATUS_EMPTY: u32 = 1 << 30;
/// Properties, from this processor to the graphics processor.
const CHANNEL: u32 = 8;

const SET_PHYSICAL_SIZE: u32 = 0x0004_8003;
const SET_VIRTUAL_SIZE: u32 = 0x0004_8004;
const SET_DEPTH: u32 = 0x0004_8005;
const SET_PIXEL_ORDER: u32 = 0x0004_8006;
/// Red in the lowest byte.
const ORDER_RGB: u32 = 1;
const ALLOCATE: u32 = 0x0004_0001;
const GET_PITCH: u32 = 0x0004_0008;
const DONE: u32 = 0x8000_0000;

/// A framebuffer: 32 bits a pixel, red in the lowest byte.
pub struct Surface {
    /// Address of the top left pixel.
    pub base: usize,
    /// Bytes from one row to the next.
    pub pitch: usize,
}

/// A message: its length, a code, tags (name, bytes of its values, code, values), 0.
#[repr(C, align(16))]
struct Message([u32; 32]);

/// A framebuffer of that many pixels, or nothing where the graphics processor has none like it.
pub fn framebuffer(width: u32, height: u32) -> Option<Surface> {
    #[rustfmt::skip]
    let tags = [
        32 * 4, 0,
        SET_PHYSICAL_SIZE, 8, 0, width, height,
        SET_VIRTUAL_SIZE, 8, 0, width, height,
        SET_DEPTH, 4, 0, 32,
        SET_PIXEL_ORDER, 4, 0, ORDER_RGB,
        ALLOCATE, 8, 0, 16, 0,
        GET_PITCH, 4, 0, 0,
        0,
    ];
    let mut message = Message([0; 32]);
    message.0[..tags.len()].copy_from_slice(&tags);
    let address = &raw mut message as usize;
    while read(STATUS) & STATUS_FULL != 0 {}
    write(WRITE, address as u32 | CHANNEL);
    loop {
        while read(STATUS) & STATUS_EMPTY != 0 {}
        if read(READ) == address as u32 | CHANNEL {
            break;
        }
    }
    // The graphics processor has written to it, which the compiler does not know: each word is read as if it were a register.
    let word = |index: usize| read(address + 4 * index);
    let same_size = word(5) == width && word(6) == height && word(15) == 32;
    // It gives the address as it sees it; the upper two bits choose its caches.
    let (base, bytes, pitch) = (word(23) & 0x3FFF_FFFF, word(24), word(28));
    let found = word(1) == DONE && same_size && base != 0 && pitch >= 4 * width && bytes >= pitch * height;
    found.then_some(Surface { base: base as usize, pitch: pitch as usize })
}
