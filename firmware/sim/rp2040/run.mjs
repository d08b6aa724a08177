// Runs firmware for the RP2040 in rp2040js and records what it sends to its panel.
//
//   node run.mjs ELF BUS [--pulses FILE] [--quiet S] [--seconds S] [--press S] [--plugged S] [--stuck]
//
// BUS is where the recording goes, as 16-bit little-endian words (firmware/sim/src/rp2040.rs reads them):
//
//   0x0000 | byte    a command byte on SPI0: D/C was low when its last bit went out
//   0x0100 | byte    a data byte on SPI0
//   0x0200           a message to the panel on I2C0 begins
//   0x0300 | byte    a byte of it
//
// FILE is where pulse widths of the speaker's pin go, whenever the program sets one while the pin runs: pairs of 64-bit
// floats, the time in nanoseconds and the width in counts.
//
// Standard output is what the firmware writes to UART0. All times are the chip's. The run ends when nothing has gone to the panel for
// --quiet (exit code 0), after --seconds (2), or when the watchdog or the program resets the chip (3); the last two lines on
// standard error are the most bytes of stack that were in use, by what is no longer zero behind the variables, and the time then. At --press the button is held down for a tenth of a second. On the I2C bus no panel answers
// before --plugged, and with --stuck somebody holds the clock line low for ever. The SPI bus has no answer to miss.
//
// Pins as in firmware/boards/pico/README.md: CS GP17, D/C GP16, button GP12, speaker GP22, which is output A of PWM slice 3.

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { ConsoleLogger, LogLevel, RP2040 } from "rp2040js";

const FLASH = 0x10000000;
const FLASH_BYTES = 2 * 1024 * 1024;
const VECTORS = FLASH + 0x100; // after the second stage of the boot loader, which would only set up the flash
const [SELECT, DATA_COMMAND, BUTTON] = [17, 16, 12];
const OLED = 0x3c;
const HIGH = 1;

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        pulses: { type: "string" },
        quiet: { type: "string", default: "Infinity" },
        seconds: { type: "string", default: "60" },
        press: { type: "string" },
        plugged: { type: "string", default: "0" },
        stuck: { type: "boolean", default: false },
    },
});
const [elf, bus] = positionals;

const RAM = 0x20000000;
let variablesEnd = RAM;
const chip = new RP2040();
// Only errors: it warns of registers that it does not model, such as those of the ring oscillator.
chip.logger = new ConsoleLogger(LogLevel.Error, true);
// SEV, which the emulator only tells of, is an event for the core that sends it, too (Armv6-M Architecture Reference Manual, B1.5.18):
// without it embassy's executor would sleep although a task is ready.
chip.logger.info = (_, message) => {
    if (message === "SEV") chip.core.eventRegistered = true;
};
load(readFileSync(elf));

const words = [];
let lastByte = Infinity;
const record = (word) => {
    words.push(word);
    lastByte = chip.clock.nanos;
};

// A byte takes eight bits' time, and its D/C level counts when the last bit goes out.
const spi = chip.spi[0];
let sending = 0;
const sent = chip.clock.createAlarm(() => {
    if (chip.gpio[SELECT].value !== HIGH) {
        record((chip.gpio[DATA_COMMAND].value === HIGH ? 0x100 : 0) | sending);
    }
    spi.completeTransmit(0);
});
spi.onTransmit = (byte) => {
    sending = byte;
    sent.schedule((spi.dataBits / spi.clockFrequency) * 1e9);
};

const TX_EMPTY = 1 << 4;
const plugged = Number(options.plugged) * 1e9;
const i2c = chip.i2c[0];
// Nine bits a byte on a bus of 400 kHz.
const byteTime = (9 / 400e3) * 1e9;
let next = () => {};
const later = chip.clock.createAlarm(() => next());
const afterAByte = (step) => {
    next = step;
    later.schedule(byteTime);
};
i2c.onStart = () => options.stuck || i2c.completeStart();
i2c.onConnect = (address) =>
    afterAByte(() => {
        const there = address === OLED && chip.clock.nanos >= plugged;
        if (there) record(0x200);
        i2c.completeConnect(there);
        // The chip flushes its FIFO and says that it is empty (RP2040 data sheet, IC_RAW_INTR_STAT); the emulator flushes.
        if (!there) i2c.setInterrupts(TX_EMPTY);
    });
i2c.onWriteByte = (byte) =>
    afterAByte(() => {
        record(0x300 | byte);
        i2c.completeWrite(true);
    });

// Counter compare register of the speaker's slice (RP2040 data sheet, 4.5.3); its lower half is output A.
const SLICE = 3;
const COMPARE = 0x14 * SLICE + 0x0c;
const ENABLED = 1;
const pulses = [];
const writePwm = chip.pwm.writeUint32.bind(chip.pwm);
chip.pwm.writeUint32 = (offset, value) => {
    if (offset === COMPARE && chip.pwm.channels[SLICE].csr & ENABLED) pulses.push(chip.clock.nanos, value & 0xffff);
    writePwm(offset, value);
};

const text = [];
chip.uart[0].onByte = (byte) => text.push(byte);

chip.gpio[BUTTON].setInputValue(true);
if (options.press !== undefined) {
    const [down, up] = [false, true].map((level) => chip.clock.createAlarm(() => chip.gpio[BUTTON].setInputValue(level)));
    down.schedule(Number(options.press) * 1e9);
    up.schedule(Number(options.press) * 1e9 + 100e6);
}

// AIRCR, which the emulator does not know: a request for a reset.
const [AIRCR, SYSRESETREQ] = [0xd0c, 1 << 2];
let reset = false;
const writePpb = chip.ppb.writeUint32.bind(chip.ppb);
chip.ppb.writeUint32 = (offset, value) => {
    if (offset === AIRCR) reset ||= (value & SYSRESETREQ) !== 0;
    else writePpb(offset, value);
};
const watchdog = chip.peripherals[0x40058];
watchdog.onWatchdogTrigger = () => {
    reset = true;
    // Else the emulator sets the alarm again for this very moment, without end.
    watchdog.timer.enable = false;
};

chip.core.VTOR = VECTORS;
chip.core.SP = chip.readUint32(VECTORS);
chip.core.PC = chip.readUint32(VECTORS + 4) & ~1;

const { core, clock } = chip;
const end = Number(options.seconds) * 1e9;
const quiet = Number(options.quiet) * 1e9;
const nanosACycle = 1e9 / 125e6;
let done = false;
while (!done && !reset && clock.nanos < end) {
    const before = clock.nanos;
    for (let i = 0; i < 10000 && !reset; i++) {
        clock.tick(core.waiting ? clock.nanosToNextAlarm : core.executeInstruction() * nanosACycle);
    }
    done = clock.nanos - lastByte > quiet;
    if (!reset && clock.nanos === before) throw new Error("the program waits for an event that never comes");
}

writeFileSync(bus, new Uint8Array(Uint16Array.from(words).buffer));
if (options.pulses !== undefined) writeFileSync(options.pulses, new Uint8Array(Float64Array.from(pulses).buffer));
process.stdout.write(Buffer.from(text));
const lowest = chip.sram.findIndex((byte, at) => at >= variablesEnd - RAM && byte !== 0);
console.error(chip.readUint32(VECTORS) - RAM - lowest);
console.error((clock.nanos / 1e9).toFixed(3));
process.exitCode = done ? 0 : reset ? 3 : 2;

// Copies the segments of a 32-bit little-endian ELF file to where the flasher would put them.
function load(file) {
    const [offset, size, count] = [file.readUInt32LE(28), file.readUInt16LE(42), file.readUInt16LE(44)];
    for (let header = offset; header < offset + size * count; header += size) {
        const [type, from, at, to, bytes, memory] = [0, 4, 8, 12, 16, 20].map((field) => file.readUInt32LE(header + field));
        if (type === 1 && at >= RAM) variablesEnd = Math.max(variablesEnd, at + memory);
        if (type !== 1 || bytes === 0) continue;
        if (to < FLASH || to + bytes > FLASH + FLASH_BYTES) {
            throw new Error(`a segment for ${to.toString(16)}, which is not flash`);
        }
        chip.flash.set(file.subarray(from, from + bytes), to - FLASH);
    }
}
