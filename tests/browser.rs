//! The playground in Chromium without a window, against what the host draws: every shipped model on every panel, one
//! that is not shipped, and one that is none; by keyboard alone, on a phone's screen, in dark mode.
//!
//! Skipped with a reason where there is no Chromium or no target for WebAssembly, unless `EDGEGEN_BROWSER` is set;
//! `./x test` installs them.

mod chromium;
mod inputs;
mod page;

use std::sync::LazyLock;
use std::thread;

use anyhow::Result;
use edgegen_app::gallery::Grid;
use edgegen_app::{PanelColor, Placement, Show};
use edgegen_export::{Label, ModelFile, export, repack};
use edgegen_runtime::{Generator, Model, Packing, Point};
use edgegen_sim::boards::{self, Board};
use edgegen_sim::playground::{BOARD, Chip, Offer, Playground, Studio};
use edgegen_sim::skip::or_skip;
use edgegen_sim::{PanelSpec, firmware, serve, stage};
use edgegen_tests::{every_input, rgb64, shipped};
use embedded_graphics::geometry::{Dimensions, Point as At, Size};
use embedded_graphics::pixelcolor::{Gray4, GrayColor};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics_simulator::SimulatorDisplay;
use image::RgbImage;

use crate::gallery::{self, Gallery};
use crate::keyframes;
use chromium::Chromium;
use page::{Page, assert_readable, assert_same};

const MODELS: [&str; 15] = [
    "avatars-emoji",
    "bags-shoes",
    "drums",
    "emoji-dcgan",
    "emoji-pairs-pix2pix",
    "faces-style",
    "faces-words",
    "fashion-dcgan",
    "fashion-edges-pix2pix",
    "fashion-residual",
    "icons",
    "mnist-cgan",
    "mnist-dcgan",
    "mnist-vae",
    "moons-iaf",
];

/// The sheet of samples of one of them; the others have none here.
const ICONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/icons/samples.png");

/// Page and program, without models, in bytes at most.
const MOST_BYTES: usize = 300_000;

/// The playground with all shipped models, built once; or why it cannot be.
static PLAYGROUND: LazyLock<Result<Playground, String>> = LazyLock::new(|| {
    let offer = |name: &str| {
        let portable = shipped(name);
        let packed = repack(&portable, Packing::Simd128).unwrap();
        let arena = Model::parse(portable.bytes()).unwrap().arena_bytes();
        let portable = [portable.bytes().len() as u64, arena as u64];
        let chip = |board: &str, flash, milliseconds| {
            let [board, title] = [board.to_owned(), format!("The {board} board")];
            Chip { board, title, flash: [135_984, flash], ram: [4_071, 36_864], milliseconds }
        };
        let chips = vec![
            chip("small", 100_000, Some(111.6)),
            chip("large", 2_017_280, Some(0.039)),
            chip("new", 150_000, None),
        ];
        let sheet = (name == "icons").then(|| std::fs::read(ICONS).unwrap());
        Offer { name: name.into(), about: "A few words.".into(), portable, chips, file: packed.bytes().into(), sheet }
    };
    let found = firmware::check(board().cpu).and_then(|()| Playground::build(&MODELS.map(offer)));
    found.map_err(|error| format!("{error:#}"))
});

fn board() -> Board {
    boards::find(BOARD).unwrap()
}

/// The page in a browser of its own; `None`, with a reason, where that cannot be.
fn page(fragment: &str) -> Option<Page> {
    let found = chromium::find().and_then(|program| match &*PLAYGROUND {
        Ok(playground) => Ok((program, playground)),
        Err(missing) => Err(anyhow::anyhow!("{missing}")),
    });
    let (program, playground) = or_skip(found, "the playground", "EDGEGEN_BROWSER")?;
    let listener = serve::listen(0).unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || serve::serve(&listener, serve::files(playground.files().clone())));
    let mut browser = Chromium::start(program);
    browser.resize(1200, 900);
    browser.open(&format!("{address}{fragment}"));
    browser.wait("document.body?.dataset.ready === 'yes'").unwrap();
    Some(Page { browser, address })
}

/// The last of so many images of the host's show.
fn host(model: &ModelFile, words: &str, spec: PanelSpec, images: usize) -> RgbImage {
    stage::record(model.bytes(), &Show::parse(&format!("{words} bare auto=0")), spec, images).pictures.pop().unwrap()
}

#[test]
fn the_page_draws_what_the_host_draws() {
    let Some(mut page) = page("#model=icons&panel=leds&mode=one&seed=1&words=0") else { return };
    for name in MODELS {
        let model = shipped(name);
        for panel in board().panels {
            let (panel, spec) = (panel.name.clone(), panel.spec());
            page.show(&format!("#model={name}&panel={panel}&mode=one&seed=7&words=0"), 1);
            // A walk begins with its seed.
            page.assert_shows(&host(&model, "walk seed=7", spec, 1), &format!("{name} on {panel}"));
        }
    }
    page.assert_asked_nobody_else();
}

#[test]
fn galleries_walks_and_classes_are_the_shows() {
    let Some(mut page) = page("#model=icons&panel=leds&mode=one&seed=1&words=0") else { return };
    for (name, panel) in [("emoji-dcgan", "lcd"), ("mnist-vae", "oled"), ("fashion-dcgan", "greys"), ("icons", "leds")]
    {
        let (model, spec) = (shipped(name), board().panel(Some(panel)).unwrap().spec());
        let area = Rectangle::new(At::zero(), Size::new(spec.width, spec.height));
        let images = Grid::fit(area, Model::parse_any(model.bytes()).unwrap().output()).cells() as usize;
        page.show(&format!("#model={name}&panel={panel}&mode=gallery&seed=3&words=0"), images);
        page.assert_shows(&host(&model, "gallery seed=3", spec, images), &format!("gallery of {name} on {panel}"));
    }
    let (model, spec) = (shipped("mnist-cgan"), board().panel(Some("greys")).unwrap().spec());
    for (words, fragment) in [("walk seed=5", "seed=5"), ("class=8 seed=5", "class=8&seed=5")] {
        page.show(&format!("#model=mnist-cgan&panel=greys&mode=walk&words=0&{fragment}"), 4);
        let (found, images) = page.canvas();
        assert_same(&found, &host(&model, words, spec, images), &format!("image {images} of {words}"));
        let images = page.hold();
        page.assert_shows(&host(&model, words, spec, images), &format!("image {images} of {words}, held"));
    }
    page.assert_asked_nobody_else();
}

#[test]
fn a_model_goes_its_own_way() {
    let Some(mut page) = page("#model=icons&panel=oled&mode=walk&seed=1&words=0") else { return };
    let (folder, spec) = (tempfile::tempdir().unwrap(), board().panel(Some("oled")).unwrap().spec());
    let model = keyframes::with_keyframes(&keyframes::text());
    let path = folder.path().join("keyed.egm");
    std::fs::write(&path, model.bytes()).unwrap();
    page.browser.choose("#open", &path);
    page.browser.wait("document.getElementById('status').textContent.startsWith('on its own way')").unwrap();
    page.settle(10);
    let (found, images) = page.canvas();
    assert_same(&found, &host(&model, "walk", spec, images), &format!("image {images}"));
    let images = page.hold();
    page.assert_shows(&host(&model, "walk", spec, images), &format!("image {images}, held"));
}

#[test]
fn sounds_are_those_of_the_hosts_speaker() {
    let Some(mut page) = page("#model=drums&panel=oled&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let (model, spec) = (shipped("drums"), board().panel(Some("oled")).unwrap().spec());
    // What the browser is handed, piece after piece.
    let overheard = "
        window.heard = [];
        const copy = AudioBuffer.prototype.copyToChannel;
        AudioBuffer.prototype.copyToChannel = function (samples, ...others) {
            heard.push(...Array.from(samples, (sample) => 32768 * sample));
            return copy.call(this, samples, ...others);
        };
        0";
    page.browser.value(overheard);
    // Which a person asks for: else a browser plays nothing.
    page.tab_to("#sound");
    page.browser.key(" ");
    let sounds = [("one", "walk", 2048, 1), ("walk", "walk", 6000, 3), ("gallery", "gallery", 5000, 3)];
    for (mode, words, wanted, images) in [sounds[0], sounds[1], sounds[2], ("drums", "drums", 17_000, 19)] {
        if mode != "one" {
            page.browser.value("heard.length = 0; 0");
            page.show(&format!("#model=drums&panel=oled&mode={mode}&seed=7&words=0"), 1);
        }
        page.browser.wait(&format!("heard.length >= {wanted}")).unwrap();
        page.hold();
        let found = page.browser.value(&format!("heard.slice(0, {wanted})"));
        let found: Vec<i16> = found.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as i16).collect();
        let show = Show::parse(&format!("{words} seed=7 bare auto=0"));
        let expected = stage::record(model.bytes(), &show, spec, images).samples;
        assert!(expected.len() >= wanted, "{mode}: {}", expected.len());
        let differing = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        assert_eq!(differing, None, "{mode}");
        assert!(found.iter().any(|sample| sample.unsigned_abs() > 3000), "{mode} is silent");
    }
}

#[test]
fn words_stand_where_the_show_has_them() {
    let Some(mut page) = page("#model=mnist-dcgan&panel=oled&mode=gallery&seed=1") else { return };
    let (model, spec) = (shipped("mnist-dcgan"), board().panel(Some("oled")).unwrap().spec());
    let expected = Gallery::new(&model, spec);
    page.settle(expected.grid.cells() as usize);
    let (found, _) = page.canvas();
    assert!(expected.is_whole(&found, &gallery::on_host(&model, spec)));
}

#[test]
fn sliders_move_the_latent_vector() {
    let Some(mut page) = page("#model=mnist-cgan&panel=greys&mode=one&seed=7&class=4&words=0") else { return };
    page.settle(1);
    let script = "(() => {
        const slider = document.querySelector('#sliders input[data-index=\"2\"]');
        slider.value = 90;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
    })()";
    page.browser.value(script);

    let (file, spec) = (shipped("mnist-cgan"), board().panel(Some("greys")).unwrap().spec());
    let model = Model::parse(file.bytes()).unwrap();
    let mut codes = vec![0; 42];
    Point::seed(7).of_class(4).fill(model.latent().unwrap(), &mut codes);
    codes[2] = 90;
    page.assert_shows(&decoded(&model, &codes, spec), "z3 at 90 codes");
    assert!(page.text("status").starts_with("a latent vector of your own · class 4"), "{}", page.text("status"));
}

/// One image of a latent vector in the middle of a panel of 16 greys.
fn decoded(model: &Model<'_>, codes: &[i8], spec: PanelSpec) -> RgbImage {
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::new(model, &mut arena).unwrap();
    let mut rows = generator.decode(codes);
    let mut image = Vec::new();
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    on_greys(&image, model, spec)
}

/// An image of a model, H × W × C bytes, in the middle of a panel of 16 greys.
fn on_greys(image: &[u8], model: &Model<'_>, spec: PanelSpec) -> RgbImage {
    let shape = model.output();
    let black = Gray4::from_grey(0, At::zero());
    let mut display = SimulatorDisplay::with_default_color(Size::new(spec.width, spec.height), black);
    let placement = Placement::centred(display.bounding_box(), shape);
    for (y, row) in (0..).zip(image.chunks_exact(shape.row_len())) {
        placement.draw_row(&mut display, y, row, shape.c.into()).unwrap();
    }
    RgbImage::from_fn(spec.width, spec.height, |x, y| {
        image::Rgb([display.get_pixel(At::new(x as i32, y as i32)).luma() * 17; 3])
    })
}

#[test]
fn a_file_that_is_opened_is_drawn_or_refused_as_on_a_board() {
    let Some(mut page) = page("#model=icons&panel=lcd&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let (folder, spec) = (tempfile::tempdir().unwrap(), board().panel(Some("lcd")).unwrap().spec());
    // Not shipped, in the portable packing and in that of the page.
    let model = export(&rgb64(), 4, Label { name: "rgb64", metadata: &[] }).unwrap().file;
    for file in [model.clone(), repack(&model, Packing::Simd128).unwrap()] {
        let path = folder.path().join("own.egm");
        std::fs::write(&path, file.bytes()).unwrap();
        page.browser.choose("#open", &path);
        page.browser
            .wait("document.getElementById('figures').textContent.startsWith('rgb64: images of 64×64, RGB.')")
            .unwrap();
        page.settle(1);
        page.assert_shows(&host(&model, "walk seed=7", spec, 1), "a model that is not shipped");
        // An address cannot hold a file.
        page.browser.wait("location.hash === '#panel=lcd&mode=one&seed=7&words=0'").unwrap();
        page.browser.value("document.getElementById('figures').textContent = ''");
    }
    for (bytes, reason) in [
        (b"no model".to_vec(), "expected a model file of 32 bytes, found 8"),
        (
            repack(&model, Packing::Dsp).unwrap().bytes().to_vec(),
            "expected weights packed as portable or simd128, found dsp",
        ),
    ] {
        let path = folder.path().join("wrong.egm");
        std::fs::write(&path, &bytes).unwrap();
        page.browser.value("document.getElementById('notice').textContent = ''");
        page.browser.choose("#open", &path);
        page.browser.wait("document.getElementById('notice').textContent !== ''").unwrap();
        let notice = page.text("notice");
        assert!(notice.starts_with(&format!("wrong.egm: {reason}")), "{notice}");
    }
    // The last one is refused by the host for another kernel's sake; the first looks the same everywhere.
    let path = folder.path().join("wrong.egm");
    std::fs::write(&path, b"no model").unwrap();
    page.browser.value("document.getElementById('notice').textContent = ''");
    page.browser.choose("#open", &path);
    page.browser.wait("document.getElementById('notice').textContent !== ''").unwrap();
    let expected = stage::record(b"no model", &Show::default(), spec, 1).pictures.pop().unwrap();
    page.assert_shows(&expected, "the error screen");
    page.show("#model=icons&panel=lcd&mode=one&seed=7&words=0", 1);
    page.assert_shows(&host(&shipped("icons"), "walk seed=7", spec, 1), "a model after an error");
}

#[test]
fn a_model_is_given_every_input_that_it_has() {
    let Some(mut page) = page("#model=icons&panel=lcd&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let folder = tempfile::tempdir().unwrap();
    let file = export(&every_input(), 8, Label { name: "every input", metadata: &[] }).unwrap().file;
    let [path, picture] = ["own.egm", "ramp.png"].map(|name| folder.path().join(name));
    std::fs::write(&path, file.bytes()).unwrap();
    // As large as the model reads it, so that nothing is made smaller on the way.
    let ramp: Vec<u8> = (0..20).map(|index| index * 13).collect();
    image::GrayImage::from_raw(5, 4, ramp.clone()).unwrap().save(&picture).unwrap();
    page.browser.choose("#open", &path);
    page.browser.wait("document.getElementById('figures').textContent.startsWith('every input')").unwrap();
    page.browser.choose("#picture", &picture);
    page.browser.wait("document.getElementById('panel').dataset.fed === 'yes'").unwrap();
    page.browser.value("document.querySelector('[name=class][value=\"2\"]').click()");

    let model = Model::parse(file.bytes()).unwrap();
    let expected = edgegen_export::translated(&model, Point::seed(7).of_class(2), &ramp);
    let (found, _) = page.canvas();
    // Rgb565 shows a grey by five and six bits; each pixel of the image is 60 × 60 of the panel, from 10, 0 on.
    for (index, grey) in (0..).zip(expected) {
        let shown = found.get_pixel(10 + 60 * (index % 5) + 30, 60 * (index / 5) + 30);
        assert!(shown.0.iter().all(|part| part.abs_diff(grey) <= 4), "pixel {index}: {shown:?} for {grey}");
    }
}

#[test]
fn figures_of_model_and_boards_are_shown() {
    let Some(mut page) = page("#model=mnist-dcgan&panel=oled&mode=one&seed=7") else { return };
    page.settle(1);
    let expected = "mnist-dcgan: images of 28×28, grey. 136 KB of flash, 2.4 KB of RAM. Packed for each chip:";
    assert_eq!(page.text("figures"), expected);
    let rows = page.browser.value(
        "[...document.querySelectorAll('#chip-rows tr')].map((row) => row.innerText.replaceAll('\\u202f', ' '))",
    );
    let rows: Vec<&str> = rows.as_array().unwrap().iter().filter_map(|row| row.as_str()).collect();
    let expected = [
        "small\t136 of 100\t4.1 of 37\ttoo large",
        "large\t136 of 2 017\t4.1 of 37\t≈ 0.039 ms",
        "new\t136 of 150\t4.1 of 37\t–",
    ];
    assert_eq!(rows, expected);
    let status = page.text("status");
    assert!(status.starts_with("seed 7 · made and drawn in ") && status.ends_with(" ms here"), "{status}");
    // Nobody has to see the canvas to know what it shows, and every control has a name.
    let label = page.browser.value("document.getElementById('panel').getAttribute('aria-label')");
    assert_eq!(label, "OLED, black and white, SSD1306, 128×64: one image of mnist-dcgan, from seed 7");
    let tree = page.browser.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
    let role = |node: &serde_json::Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
    let controls = nodes
        .filter(|node| ["button", "radio", "slider", "textbox", "combobox", "checkbox"].contains(&role(node).as_str()));
    let names: Vec<(String, String)> =
        controls.map(|node| (role(node), node["name"]["value"].as_str().unwrap_or_default().to_owned())).collect();
    assert!(names.len() > 40, "{names:?}");
    assert!(names.iter().all(|(_, name)| !name.is_empty()), "{names:?}");
}

#[test]
fn the_keyboard_is_enough() {
    let Some(mut page) = page("#model=mnist-cgan&panel=greys&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let (model, panel) = (shipped("mnist-cgan"), |name: &str| board().panel(Some(name)).unwrap().spec());
    page.tab_to("#model");
    page.browser.key("ArrowDown");
    page.tab_to("[name=panel]");
    page.browser.key("ArrowRight");
    page.tab_to("#seed");
    page.browser.key("ArrowUp");
    page.browser.wait("document.getElementById('status').textContent.startsWith('seed 8')").unwrap();
    let next = shipped("mnist-dcgan");
    page.assert_shows(&host(&next, "walk seed=8", panel("lcd"), 1), "the next model, panel and seed");

    page.show("#model=mnist-cgan&panel=greys&mode=one&seed=8&words=0", 1);
    page.tab_to("[name=class]");
    page.browser.key("ArrowRight");
    page.browser.wait("document.getElementById('status').textContent.startsWith('seed 8 · class 0')").unwrap();
    page.assert_shows(&host(&model, "class=0 seed=8", panel("greys"), 1), "the first class");
    page.tab_to("#sliders input");
    page.browser.key("ArrowRight");
    page.browser
        .wait("document.getElementById('status').textContent.startsWith('a latent vector of your own')")
        .unwrap();

    // The board's button: gallery, walk, classes.
    page.browser.value("document.activeElement.blur(); document.getElementById('press').focus()");
    page.browser.key("Enter");
    let mode = |mode: &str| format!("document.querySelector('[name=mode][value={mode}]').checked");
    page.browser.wait(&mode("gallery")).unwrap();
    page.settle(1);
    page.browser.key(" ");
    page.browser.wait(&mode("walk")).unwrap();
    page.settle(1);
    page.browser.key("Enter");
    page.browser.wait("document.querySelector('[name=class][value=\"0\"]').checked").unwrap();
    // Whatever has the focus shows it.
    page.tab_to("#seed");
    let ring = page.browser.value("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(ring, "solid");
}

#[test]
fn on_a_phone_and_in_the_dark() {
    let Some(mut page) = page("#model=emoji-dcgan&panel=lcd&mode=one&seed=1") else { return };
    page.settle(1);
    // Then with a list for each kind of words.
    for (model, width, height) in
        [("emoji-dcgan", 360, 740), ("emoji-dcgan", 1200, 900), ("faces-words", 1200, 900), ("faces-words", 360, 740)]
    {
        page.browser.resize(width, height);
        page.show(&format!("#model={model}&panel=lcd&mode=one&seed={width}"), 1);
        // But for a scroll bar.
        let wide = "document.documentElement.clientWidth";
        page.browser.wait(&format!("{wide} <= {width} && {wide} > {width} - 30")).unwrap();
        let needed = page.browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(needed <= u64::from(width), "{needed} pixels on a screen of {width}");
        let right = page.browser.value("document.getElementById('panel').getBoundingClientRect().right");
        assert!(right.as_f64().unwrap() <= f64::from(width), "the panel ends at {right}");
        for scheme in ["light", "dark"] {
            page.browser.prefers("prefers-color-scheme", scheme);
            assert_readable(&mut page, &format!("{scheme}, {width} wide"), scheme == "dark");
        }
    }
    // Who wants nothing to move sees one image; all others a walk.
    for (value, mode) in [("reduce", "one"), ("no-preference", "walk")] {
        page.browser.prefers("prefers-reduced-motion", value);
        let address = page.address.clone();
        page.browser.open(&format!("{address}?{value}"));
        page.browser.wait("document.body?.dataset.ready === 'yes'").unwrap();
        let checked = page.browser.value("document.querySelector('[name=mode]:checked').value");
        assert_eq!(checked, mode, "{value}");
    }
}

#[test]
fn page_and_program_are_small() {
    let Some(playground) = or_skip(
        PLAYGROUND.as_ref().map_err(|missing| anyhow::anyhow!("{missing}")),
        "the page's size",
        "EDGEGEN_BROWSER",
    ) else {
        return;
    };
    let boards = boards::all().unwrap();
    let studio = Playground::studio(&Studio { name: "digits", board: "pico", boards: &boards }).unwrap();
    for (what, files) in [("page", playground.files()), ("page with a studio", studio.files())] {
        let own = files.iter().filter(|(name, _)| !name.ends_with(".egm") && !name.ends_with(".png"));
        let size: usize = own.map(|(_, bytes)| bytes.len()).sum();
        assert!((100_000..=MOST_BYTES).contains(&size), "{what} and program have {size} bytes");
    }
    // Nobody else has the studio's files, or is told of one.
    let list = String::from_utf8(playground.files()["playground.json"].clone()).unwrap();
    assert!(!list.contains("studio") && !playground.files().keys().any(|name| name.contains("studio")));
    let sheets: Vec<_> = playground.files().keys().filter(|name| name.ends_with(".png")).collect();
    assert_eq!(sheets, ["icons.png"]);
}
