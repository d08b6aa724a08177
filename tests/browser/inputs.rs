//! What models read beside a latent vector: words, names of classes, styles, noise, pictures of their own.

use std::path::Path;

use edgegen_export::layers::picture;
use edgegen_export::{Label, ModelFile, export, image_at, with_pictures};
use edgegen_runtime::latent::{Noise, Style, combination};
use edgegen_runtime::{Model, Point};
use edgegen_sim::PanelSpec;
use edgegen_tests::{every_input, shipped};
use image::RgbImage;

use super::page::{Page, assert_same};
use super::{ICONS, board, host, on_greys, page};
use crate::pictures::filter;
use crate::styles::{LAYERS, styled};

const STATUS: &str = "document.getElementById('status').textContent";

/// Opens a model file that is not on the page's list.
fn open(page: &mut Page, folder: &Path, name: &str, file: &ModelFile) {
    let path = folder.join("own.egm");
    std::fs::write(&path, file.bytes()).unwrap();
    page.browser.choose("#open", &path);
    page.browser.wait(&format!("document.getElementById('figures').textContent.startsWith('{name}: ')")).unwrap();
    page.settle(1);
}

/// Sets a list, a box or a button to a value, as a person would.
fn set(page: &mut Page, selector: &str, value: &str) {
    page.browser.value(&format!(
        "{{
            const control = document.querySelector({selector:?});
            if (control.type === 'radio' || control.type === 'checkbox') control.click();
            else control.value = {value:?};
            control.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }}"
    ));
}

/// The image at a point in the middle of a panel of 16 greys.
fn drawn(model: &Model<'_>, point: Point, spec: PanelSpec) -> RgbImage {
    on_greys(&image_at(model, point), model, spec)
}

/// The class whose words are those of the seed's own but for these.
fn class_of(model: &Model<'_>, seed: u64, said: &[(usize, &str)]) -> u16 {
    let own = combination(seed, model.classes().into()).unwrap();
    let mut wanted: Vec<&str> = model.words(own).collect();
    for &(at, word) in said {
        wanted[at] = word;
    }
    (0..model.classes()).find(|&class| model.words(class).eq(wanted.iter().copied())).unwrap()
}

#[test]
fn words_are_chosen_as_people_do() {
    let fragment = "#model=faces-words&panel=lcd&mode=one&seed=7&words=0";
    let Some(mut page) = page(&format!("{fragment}&word.eyes=sunglasses&word.hair+colour=pink")) else { return };
    page.settle(1);
    let (file, spec) = (shipped("faces-words"), board().panel(Some("lcd")).unwrap().spec());
    let model = Model::parse(file.bytes()).unwrap();
    let class = class_of(&model, 7, &[(1, "sunglasses"), (2, "pink")]);
    page.assert_shows(&host(&file, &format!("class={class} seed=7"), spec, 1), "sunglasses and pink hair");
    let words: Vec<&str> = model.words(class).collect();
    assert!(page.text("status").starts_with(&format!("seed 7 · {} · made", words.join(", "))), "{words:?}");

    // Words that are not chosen are the next seed's.
    page.browser.value("document.getElementById('seed-after').click()");
    let class = class_of(&model, 8, &[(1, "sunglasses"), (2, "pink")]);
    page.assert_shows(&host(&file, &format!("class={class} seed=8"), spec, 1), "the next seed");
    // By keyboard, and the address keeps it.
    page.tab_to("#said select");
    page.browser.key("ArrowDown");
    page.browser.wait(&format!("{STATUS}.startsWith('seed 8 · bald head, sunglasses, pink, ')")).unwrap();
    let class = class_of(&model, 8, &[(0, "bald head"), (1, "sunglasses"), (2, "pink")]);
    page.assert_shows(&host(&file, &format!("class={class} seed=8"), spec, 1), "one word more");
    let address = "location.hash.includes('seed=8&word.hair=bald+head&word.eyes=sunglasses&word.hair+colour=pink')";
    page.browser.wait(address).unwrap();

    // A walk keeps all words of its first seed, also where it is held.
    set(&mut page, "[name=mode][value=walk]", "walk");
    page.settle(4);
    let walk = format!("class={class} seed=8");
    let images = page.hold();
    page.assert_shows(&host(&file, &walk, spec, images), &format!("image {images} of {walk}, held"));

    // With none every seed has its own, and all of these are told.
    page.browser.value("document.getElementById('any').click()");
    page.show(&format!("{fragment}&word.mouth=no+such+word"), 1);
    page.assert_shows(&host(&file, "walk seed=7", spec, 1), "the seed's own words");
    let own: Vec<&str> = model.words(class_of(&model, 7, &[])).collect();
    assert!(page.text("status").starts_with(&format!("seed 7 · {} · made", own.join(", "))), "{own:?}");
    // Classes by number are for other models.
    let hidden = "['class-field', 'style-field', 'noise-field', 'picture-field'].every((id) => \
                  document.getElementById(id).hidden)";
    assert_eq!(page.browser.value(hidden), true);
    // The caption has them, too.
    page.show("#model=faces-words&panel=lcd&mode=one&seed=7&word.eyes=glasses", 1);
    let class = class_of(&model, 7, &[(1, "glasses")]);
    let (found, _) = page.canvas();
    let bare = host(&file, &format!("class={class} seed=7"), spec, 1);
    assert!(found != bare, "no caption");
    page.assert_asked_nobody_else();
}

#[test]
fn classes_have_the_names_that_the_model_says() {
    let Some(mut page) = page("#model=icons&panel=lcd&mode=one&seed=7&class=2&words=0") else { return };
    page.settle(1);
    let folder = tempfile::tempdir().unwrap();
    let names = "document.getElementById('classes').innerText.split('\\n').join(' ').trim()";
    let named = |fact| export(&every_input(), 8, Label { name: "pets", metadata: &[("classes", fact)] }).unwrap().file;
    open(&mut page, folder.path(), "pets", &named("cat\nguinea pig\nstick insect"));
    assert_eq!(page.browser.value(names), "any cat guinea pig stick insect");
    assert!(page.text("status").starts_with("seed 7 · stick insect · "), "{}", page.text("status"));
    set(&mut page, "[name=class][value='1']", "1");
    page.browser.wait(&format!("{STATUS}.startsWith('seed 7 · guinea pig')")).unwrap();
    let label = page.browser.value("document.getElementById('panel').getAttribute('aria-label')");
    assert!(label.as_str().unwrap().ends_with("one image of pets of guinea pig, from seed 7"), "{label}");
    // Names of other classes are none of these.
    open(&mut page, folder.path(), "pets", &named("cat\ndog"));
    page.browser.wait(&format!("{STATUS}.startsWith('seed 7 · class 1')")).unwrap();
    assert_eq!(page.browser.value(names), "any 0 1 2");
}

#[test]
fn styles_are_mixed_and_noise_is_chosen() {
    let Some(mut page) = page("#model=icons&panel=greys&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let (folder, spec) = (tempfile::tempdir().unwrap(), board().panel(Some("greys")).unwrap().spec());
    let (_, file) = styled();
    let model = Model::parse(file.bytes()).unwrap();
    open(&mut page, folder.path(), "styles", &file);
    let point = Point::seed(7);
    page.assert_shows(&drawn(&model, point, spec), "of one seed");

    // The finer half, as the board mixes; then by keyboard one seed and one layer on.
    let style = |seed, first| point.styled(Style::of(seed, first, LAYERS));
    page.tab_to("[name=style]");
    page.browser.key("ArrowRight");
    page.browser.wait(&format!("{STATUS}.startsWith('seed 7 · style of seed 8 from layer 2')")).unwrap();
    page.assert_shows(&drawn(&model, style(8, LAYERS / 2), spec), "with the next seed's style");
    page.tab_to("#style");
    page.browser.key("ArrowUp");
    page.tab_to("#first");
    page.browser.key("ArrowDown");
    page.browser.wait(&format!("{STATUS}.startsWith('seed 7 · style of seed 9 from layer 3')")).unwrap();
    page.assert_shows(&drawn(&model, style(9, 3), spec), "in the last layer");
    set(&mut page, "[name=noise][value=seed]", "seed");
    set(&mut page, "#noise", "5");
    page.browser
        .wait(&format!("{STATUS}.startsWith('seed 7 · style of seed 9 from layer 3 · noise of seed 5')"))
        .unwrap();
    page.assert_shows(&drawn(&model, style(9, 3).with_noise(Noise::Seed(5)), spec), "with noise of another seed");
    page.browser.wait("location.hash === '#panel=greys&mode=one&seed=7&style=9&from=3&noise=5&words=0'").unwrap();
    set(&mut page, "[name=noise][value=off]", "off");
    page.assert_shows(&drawn(&model, style(9, 3).with_noise(Noise::Off), spec), "without noise");
    set(&mut page, "[name=noise][value=own]", "own");
    page.browser.value(
        "{ const share = document.getElementById('share');
        share.value = 24;
        share.dispatchEvent(new Event('input', { bubbles: true })); }",
    );
    page.browser
        .wait(&format!("{STATUS}.startsWith('seed 7 · 24 of 64 steps to the style of seed 9 from layer 3')"))
        .unwrap();
    let part = Style { share: 24, ..Style::of(9, 3, LAYERS) };
    page.assert_shows(&drawn(&model, point.styled(part), spec), "a part of the way");
    set(&mut page, "[name=style][value=middle]", "middle");
    page.browser.wait("location.hash === '#panel=greys&mode=one&seed=7&style=middle&from=3&share=24&words=0'").unwrap();
    page.assert_shows(&drawn(&model, point.styled(Style { seed: None, ..part }), spec), "toward the middle");
    set(&mut page, "[name=style][value=own]", "own");
    page.assert_shows(&drawn(&model, point, spec), "of one seed again");

    // What the button of a board shows of such a model, and what is held of it.
    for mode in ["walk", "mix", "middle", "noise"] {
        set(&mut page, "#seed", "7");
        page.assert_shows(&drawn(&model, point, spec), "what the show has left is forgotten");
        set(&mut page, &format!("[name=mode][value={mode}]"), mode);
        page.settle(if mode == "mix" { 2 } else { 5 });
        let (found, images) = page.canvas();
        let expected = host(&file, &format!("{mode} seed=7"), spec, images);
        assert_same(&found, &expected, &format!("image {images} of {mode}"));
        let images = page.hold();
        let expected = host(&file, &format!("{mode} seed=7"), spec, images);
        page.assert_shows(&expected, &format!("image {images} of {mode}, held"));
    }
    // Another model knows nothing of that.
    page.show("#model=icons&panel=greys&mode=mix&seed=7&words=0", 1);
    let mode = page.browser.value("document.querySelector('[name=mode]:checked').value");
    assert_eq!(mode, "walk");
    page.show("#model=icons&panel=greys&mode=one&seed=7&style=9&noise=off&words=0", 1);
    page.assert_shows(&host(&shipped("icons"), "walk seed=7", spec, 1), "without styles");
}

#[test]
fn a_model_offers_the_pictures_that_it_brings_along() {
    let Some(mut page) = page("#model=icons&panel=lcd&mode=one&seed=7&words=0") else { return };
    page.settle(1);
    let (folder, spec) = (tempfile::tempdir().unwrap(), board().panel(Some("lcd")).unwrap().spec());
    let bare = export(&filter(false), 8, Label { name: "filter", metadata: &[] }).unwrap().file;
    let shape = Model::parse(bare.bytes()).unwrap().fed().unwrap();
    let file = with_pictures(&bare, &[1, 2, 3].map(|seed| picture(shape, seed))).unwrap();
    open(&mut page, folder.path(), "filter", &file);
    let count = page.browser.value("document.querySelectorAll('#pictures canvas').length");
    assert_eq!(count, 3);
    page.assert_shows(&host(&file, "picture=0", spec, 1), "the first picture");
    page.tab_to("[name=picture]");
    page.browser.key("ArrowRight");
    page.browser.wait("location.hash === '#panel=lcd&mode=one&seed=7&picture=1&words=0'").unwrap();
    page.assert_shows(&host(&file, "picture=1", spec, 1), "the next picture");
    // The show goes from one to the next.
    set(&mut page, "[name=mode][value=walk]", "walk");
    page.browser.wait(&format!("{STATUS}.startsWith('seed 7 · picture 0')")).unwrap();
    let images = page.hold();
    page.assert_shows(&host(&file, &format!("picture={}", (images - 1) % 3), spec, 1), "held");
    page.browser.value("document.getElementById('black').click()");
    let chosen = page.browser.value("document.querySelectorAll('[name=picture]:checked').length");
    assert_eq!(chosen, 0);
    let black = with_pictures(&bare, &[vec![0; shape.len()]]).unwrap();
    page.assert_shows(&host(&black, "picture=0", spec, 1), "black");
}

#[test]
fn a_sheet_of_samples_is_there_where_the_model_has_one() {
    let Some(mut page) = page("#model=icons&panel=leds&mode=one&seed=7") else { return };
    page.settle(1);
    let asked = |page: &Page| page.browser.requests.iter().any(|request| request.ends_with("/icons.png"));
    assert!(!asked(&page), "nobody has wanted to see it");
    page.browser.value("document.querySelector('#sheet-field summary').click()");
    page.browser.wait("document.getElementById('model-sheet').naturalWidth > 0").unwrap();
    let width = page.browser.value("document.getElementById('model-sheet').naturalWidth");
    assert_eq!(width, image::image_dimensions(ICONS).unwrap().0);
    assert!(asked(&page));
    page.assert_asked_nobody_else();
    page.show("#model=mnist-vae&panel=leds&mode=one&seed=7", 1);
    assert_eq!(page.browser.value("document.getElementById('sheet-field').hidden"), true);
}
