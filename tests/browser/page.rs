//! The playground's page in Chromium, as tests handle it.

use image::RgbImage;

use super::chromium::Chromium;

/// The page in a browser, and its address.
pub struct Page {
    pub browser: Chromium,
    pub address: String,
}

impl Page {
    /// Chooses by the address, and waits until that is on the panel, so many images of it.
    pub fn show(&mut self, fragment: &str, images: usize) {
        let begun = "document.getElementById('panel').dataset.begun";
        let before = self.browser.value(begun);
        self.browser.value(&format!("location.hash = {fragment:?}; 0"));
        self.browser.wait(&format!("{begun} !== {before}")).unwrap();
        self.settle(images);
    }

    /// Waits until so many images are drawn of what was begun last.
    pub fn settle(&mut self, images: usize) {
        self.browser.wait(&format!("Number(document.getElementById('panel').dataset.images) >= {images}")).unwrap();
    }

    /// What the canvas shows, and how many images were drawn of what was begun last.
    pub fn canvas(&mut self) -> (RgbImage, usize) {
        let script = "(() => {
            const panel = document.getElementById('panel');
            const { width, height } = panel;
            const { data } = panel.getContext('2d').getImageData(0, 0, width, height);
            let hex = '';
            for (let at = 0; at < data.length; at += 4) {
                hex += ((data[at] << 16 | data[at + 1] << 8 | data[at + 2]) + 0x1000000).toString(16).slice(1);
            }
            return { width, height, hex, images: Number(panel.dataset.images) };
        })()";
        let found = self.browser.value(script);
        let side = |name: &str| found[name].as_u64().unwrap() as u32;
        let hex = found["hex"].as_str().unwrap();
        let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let picture = RgbImage::from_raw(side("width"), side("height"), bytes).unwrap();
        (picture, found["images"].as_u64().unwrap() as usize)
    }

    /// Asserts that the canvas shows this.
    pub fn assert_shows(&mut self, expected: &RgbImage, what: &str) {
        let (found, _) = self.canvas();
        assert_same(&found, expected, what);
    }

    /// Holds a walk where it is, and tells how many images it had.
    pub fn hold(&mut self) -> usize {
        let script = "(() => {
            const { images } = document.getElementById('panel').dataset;
            document.querySelector('[name=mode][value=one]').click();
            return Number(images);
        })()";
        self.browser.value(script).as_u64().unwrap() as usize
    }

    /// The text of an element.
    pub fn text(&mut self, id: &str) -> String {
        self.browser.value(&format!("document.getElementById({id:?}).textContent")).as_str().unwrap().to_owned()
    }

    /// Goes on by Tab until an element has the focus, which must come before all of the page was passed.
    pub fn tab_to(&mut self, selector: &str) {
        for _ in 0..120 {
            self.browser.key("Tab");
            if self.browser.value(&format!("document.activeElement?.matches({selector:?}) ?? false")) == true {
                return;
            }
        }
        panic!("Tab does not lead to {selector}");
    }

    /// The page has asked for nothing but what it was served.
    pub fn assert_asked_nobody_else(&self) {
        assert!(self.browser.requests.len() >= 5, "{:?}", self.browser.requests);
        for request in &self.browser.requests {
            assert!(request.starts_with(&self.address) || request.starts_with("data:"), "the page asked for {request}");
        }
    }
}

/// Asserts that two pictures are the same.
pub fn assert_same(found: &RgbImage, expected: &RgbImage, what: &str) {
    assert_eq!(found.dimensions(), expected.dimensions(), "{what}");
    let differing = found.enumerate_pixels().zip(expected.pixels()).filter(|((_, _, left), right)| left != right);
    let count = differing.clone().count();
    let first = differing.map(|((x, y, left), right)| format!("{x}, {y}: {left:?} against {right:?}")).next();
    assert_eq!(first, None, "{what}: {count} pixels differ");
}

/// Text stands out against what lies beneath it by 4.5 to 1 and more, as WCAG 2.2 asks for (success criterion 1.4.3),
/// and the page is as dark as it should be.
pub fn assert_readable(page: &mut Page, what: &str, is_dark: bool) {
    let script = "(() => {
        const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
        const luminance = ([r, g, b]) => {
            const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        };
        const beneath = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const color = numbers(getComputedStyle(at).backgroundColor);
                if (color.length < 4 || color[3] > 0) return color;
            }
            return [255, 255, 255];
        };
        const found = [];
        const texts = 'h1, h2, p, label, legend, button, select, input[type=text], span, output, th, td, summary';
        for (const element of document.querySelectorAll(texts)) {
            if (!element.checkVisibility() || !(element.textContent || element.value)?.trim()) continue;
            const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(beneath(element))];
            found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)]);
        }
        found.sort(([a], [b]) => a - b);
        return { count: found.length, least: found[0], paper: luminance(beneath(document.body)) };
    })()";
    let found = page.browser.value(script);
    assert!(found["count"].as_u64().unwrap() > 30, "{what}: {found}");
    assert!(found["least"][0].as_f64().unwrap() >= 4.5, "{what}: {found}");
    assert_eq!(found["paper"].as_f64().unwrap() < 0.2, is_dark, "{what}: {found}");
}
