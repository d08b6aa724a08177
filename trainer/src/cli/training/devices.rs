//! `edgegen devices`.

use anyhow::Result;

use crate::cli::{Console, Ending, table};
use crate::device::DEVICES;

pub fn run(console: Console) -> Result<Ending> {
    let value: Vec<_> = DEVICES
        .iter()
        .map(|device| serde_json::json!({ "name": device.name, "about": device.about, "compiled": device.compiled }))
        .collect();
    console.show(&value, || {
        let rows = DEVICES.iter().map(|device| {
            let here =
                if device.compiled { "yes".to_owned() } else { format!("build with --features {}", device.name) };
            [device.name.to_owned(), device.about.to_owned(), here]
        });
        table(["device", "what", "in this build"], rows)
    })
}
