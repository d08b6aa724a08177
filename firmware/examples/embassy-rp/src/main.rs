//! A generator in an embassy project: one digit after another on a Pico Display Pack 2.0.

#![no_std]
#![no_main]

use edgegen_runtime::{Arena, Generator, Model, embed_model};
use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::spi::{Config, Spi};
use embassy_time::{Delay, Timer};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal_bus::spi::ExclusiveDevice;
use mipidsi::{Builder, interface::SpiInterface, models::ST7789, options::*};
use panic_halt as _;

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    // The panel, as in any project. What lives across an `await` is no stack: embassy keeps it in a variable of the task.
    let p = embassy_rp::init(Default::default());
    let mut config = Config::default();
    config.frequency = 62_500_000;
    let bus = Spi::new_blocking_txonly(p.SPI0, p.PIN_18, p.PIN_19, config);
    let device = ExclusiveDevice::new_no_delay(bus, Output::new(p.PIN_17, Level::High)).unwrap();
    let mut buffer = [0; 64];
    let interface = SpiInterface::new(device, Output::new(p.PIN_16, Level::Low), &mut buffer);
    let panel = Builder::new(ST7789, interface).orientation(Orientation::new().rotate(Rotation::Deg90));
    let mut panel = panel.invert_colors(ColorInversion::Inverted).init(&mut Delay).unwrap();
    let _backlight = Output::new(p.PIN_20, Level::High);
    panel.clear(Rgb565::BLACK).unwrap();

    // The generator, and its working memory: as many bytes as `edgegen inspect` says, or more.
    let mut arena = Arena::<4352>::new();
    let model = Model::parse(embed_model!("../../../../models/mnist-dcgan/model.egm")).unwrap();
    let mut generator = Generator::new(&model, &mut arena.0).unwrap();
    for seed in 0.. {
        let mut rows = generator.sample(seed);
        let mut area = Rectangle::new(Point::new(146, 106), Size::new(28, 1));
        while let Some(row) = rows.next_row() {
            let pixels = row.iter().map(|grey| Rgb565::new(grey >> 3, grey >> 2, grey >> 3));
            panel.fill_contiguous(&area, pixels).unwrap();
            area.top_left.y += 1;
            yield_now().await; // other tasks have their turn between two rows
        }
        Timer::after_secs(1).await;
    }
}
