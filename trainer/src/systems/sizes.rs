//! What to write instead when the size of the images does not fit the number of a system's channel counts.

use crate::recipe::Size;

/// The number of counts that fits, with `channels` cut short or continued by halves, and the nearest size that fits.
///
/// `count` is the number of counts that makes images of `size`, if one does, and `nearest` the size that as many counts
/// as there are make.
pub fn advice(key: &str, channels: &[usize], count: Option<usize>, size: Size, nearest: Size) -> String {
    let nearest = written(nearest);
    let Some(count) = count else {
        return format!("no number of {key} makes images of {size}, use size = {nearest}");
    };
    let mut fitting = channels[..count.min(channels.len())].to_vec();
    while let Some(&last) = fitting.last().filter(|_| fitting.len() < count) {
        fitting.push(last.div_ceil(2));
    }
    format!("use {key} = {fitting:?} for images of {size}, or size = {nearest}")
}

/// The multiples of `factor` nearest to the sides of `size`, at least one.
pub fn nearest_multiple(size: Size, factor: usize) -> Size {
    let nearest = |side: usize| ((side + factor / 2) / factor).max(1) * factor;
    Size { h: nearest(size.h), w: nearest(size.w) }
}

/// How often both sides can be halved.
pub fn halvings(size: Size) -> usize {
    size.h.trailing_zeros().min(size.w.trailing_zeros()) as usize
}

/// The size after so many halvings.
pub fn reduced(size: Size, times: usize) -> Size {
    Size { h: size.h >> times, w: size.w >> times }
}

/// A size as a recipe has it: a number, or `[height, width]`.
pub fn written(size: Size) -> String {
    size.side().map_or_else(|| format!("[{}, {}]", size.h, size.w), |side| side.to_string())
}

#[cfg(test)]
mod tests {
    use crate::recipe::Recipe;

    /// The message of a recipe that is refused, or `None`.
    fn refusal(system: &str, size: usize, table: &str) -> Option<String> {
        let text = format!("system = \"{system}\"\n[data]\nname = \"x\"\nsize = {size}\n[{system}]\n{table}\n");
        Recipe::parse(&text).err().map(|error| format!("{error:#}"))
    }

    #[test]
    fn the_issues_recipe_gets_its_channels() {
        for system in ["dcgan", "cgan"] {
            let message = refusal(system, 32, "channels = [128, 64]").unwrap();
            assert_eq!(
                message,
                format!(
                    "[{system}] expected [data] size = 16, 20, 24 or 28 for 2 channel counts, which double a map 2 times, found size = 32 \
                     with channels = [128, 64]: use channels = [128, 64, 32] for images of 32×32, or size = 28"
                )
            );
        }
    }

    #[test]
    fn images_need_not_be_square() {
        let net = |system: &str, size: [usize; 2], table: &str| {
            let text = format!(
                "system = \"{system}\"\n[data]\nname = \"x\"\nsize = {size:?}\n[train]\nbatch = 4\n[{system}]\n{table}\n"
            );
            let recipe = Recipe::parse(&text).map_err(|error| format!("{error:#}"))?;
            let kind = crate::systems::find(system).unwrap();
            let (device, mut rng) = (burn::tensor::Device::flex(), crate::rng::Rng::new(0, 0));
            let made = (kind.generator)(&recipe, &device, &mut rng).unwrap().net.output;
            let mut system = (kind.build)(&recipe, &device.clone().autodiff(), &mut rng).unwrap();
            let images = burn::tensor::Tensor::<4>::zeros([4, 1, size[0], size[1]], &device);
            let next_batch = &mut || crate::systems::Batch::alone(images.clone(), vec![0, 1, 0, 1]);
            let (lr_generator, lr_critic, ema) = (1e-3, 1e-3, 0.9);
            system.step(&mut crate::systems::Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch });
            Ok::<_, String>(made)
        };
        for (system, size, table) in [
            ("gan", [9, 14], "hidden = [4]\ncritic_hidden = [4]"),
            ("unrolled", [9, 14], "hidden = [4]\ncritic_hidden = [4]\nunroll = 1"),
            ("dcgan", [10, 16], "head = \"conv3\"\nchannels = [4, 4]\ncritic_channels = [4, 4]"),
            ("dcgan", [24, 8], "channels = [4]\nhead = \"transposed\"\ncritic_channels = [4]\nupsample = \"nearest\""),
            ("cgan", [8, 32], "channels = [4]\ncritic_channels = [4]\nclasses = 2"),
            ("vae", [8, 12], "channels = [4, 4]\nencoder_channels = [4]"),
            ("began", [8, 12], "channels = [4, 4]\nhidden = 4"),
            ("gaussian", [5, 7], "latent = 8"),
        ] {
            assert_eq!(net(system, size, table).unwrap(), [1, size[0], size[1]], "{system}");
        }
        let error = net("dcgan", [135, 240], "channels = [8, 8, 4]").unwrap_err();
        for part in [
            "56 for the shorter side, and a multiple of 8 for the longer",
            "found size = [135, 240]",
            "use size = [56, 240]",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = net("vae", [9, 12], "channels = [4, 4]").unwrap_err();
        assert!(error.contains("multiple of 4") && error.contains("size = [8, 12]"), "{error}");
    }

    #[test]
    fn whoever_follows_the_advice_is_not_refused() {
        let forms = [
            ("dcgan", "channels", "head = \"transposed\""),
            ("dcgan", "channels", "head = \"conv3\""),
            ("cgan", "channels", ""),
            ("vae", "channels", "encoder_channels = []"),
            ("vae", "encoder_channels", "channels = []"),
            ("began", "channels", ""),
            ("judge", "channels", ""),
            ("adda", "channels", ""),
        ];
        for (system, key, more) in forms {
            let mut refused = 0;
            for size in 4..=130 {
                for channels in (1..=6).map(|count| &[64, 48, 32, 24, 16, 8][..count]) {
                    let Some(message) = refusal(system, size, &format!("{key} = {channels:?}\n{more}")) else {
                        continue;
                    };
                    refused += 1;
                    let (_, advice) = message.rsplit_once(": ").unwrap();
                    let (_, fitting) = advice.rsplit_once("size = ").unwrap();
                    let table = format!("{key} = {channels:?}\n{more}");
                    assert_eq!(refusal(system, fitting.parse().unwrap(), &table), None, "{message}");
                    if let Some((_, rest)) = advice.split_once(" = [") {
                        let (list, _) = rest.split_once(']').unwrap();
                        assert_eq!(refusal(system, size, &format!("{key} = [{list}]\n{more}")), None, "{message}");
                    } else {
                        assert!(advice.contains("no number of"), "{message}");
                    }
                }
            }
            assert!(refused > 0, "{system} refuses nothing");
        }
    }
}
