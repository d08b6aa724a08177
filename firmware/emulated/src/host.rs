//! The host behind the debug port or the emulator: text and files out, a command line in, and the end (Arm semihosting).

use core::ffi::CStr;
use core::fmt;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::{debug, hio, nr};

/// The host's standard output.
pub struct Text;

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        hio::hstdout().and_then(|mut out| out.write_all(text.as_bytes())).map_err(|()| fmt::Error)
    }
}

/// The command line (QEMU: `-semihosting-config arg=…`), or nothing where the host has none or it does not fit `buffer`.
pub fn command_line(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: SYS_GET_CMDLINE writes at most block[1] bytes to block[0], and the length into block[1]; both live here.
    // Its address goes out as a `*mut`, since the host writes to it.
    let status = unsafe { cortex_m_semihosting::syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    let line = if status == 0 { buffer.get(..block[1]).unwrap_or_default() } else { &[] };
    core::str::from_utf8(line).unwrap_or_default().trim_end_matches('\0')
}

/// Writes a file of the host, in the folder that the emulator was started in unless `name` says otherwise. Tells whether the
/// host has all of it.
pub fn save(name: &CStr, bytes: &[u8]) -> bool {
    let open = [name.as_ptr() as usize, nr::open::W_TRUNC_BINARY, name.count_bytes()];
    // SAFETY: SYS_OPEN reads its three words and the name, which ends with a zero byte.
    let handle = unsafe { cortex_m_semihosting::syscall1(nr::OPEN, open.as_ptr() as usize) };
    if handle == usize::MAX {
        return false;
    }
    let write = [handle, bytes.as_ptr() as usize, bytes.len()];
    // SAFETY: SYS_WRITE reads its three words and so many bytes from there, and gives the number that it has not written.
    let left = unsafe { cortex_m_semihosting::syscall1(nr::WRITE, write.as_ptr() as usize) };
    // SAFETY: SYS_CLOSE reads one word.
    let closed = unsafe { cortex_m_semihosting::syscall1(nr::CLOSE, (&raw const handle) as usize) };
    left == 0 && closed == 0
}

/// Ends the program; the emulator exits with 0 or 1.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// A fault of the processor, such as a stack that has run into the end of RAM.
///
/// # Safety
///
/// Called by the processor alone.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let _ = fmt::Write::write_fmt(&mut Text, format_args!("panic hard fault at {:#010x}\n", frame.pc()));
    exit(false)
}

/// Says where and why, and ends with a failure.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let _ = fmt::Write::write_fmt(&mut Text, format_args!("panic {info}\n"));
    exit(false)
}
