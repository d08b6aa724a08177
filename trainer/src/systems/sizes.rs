//! What to write instead when the size of the images does not fit the number of a system's channel counts.

/// The number of counts that fits, with `channels` cut short or continued by halves, and the nearest size that fits.
///
/// `count` is the number of counts that makes images of `size`, if one does, and `nearest` the size that as many counts
/// as there are make.
pub fn advice(key: &str, channels: &[usize], count: Option<usize>, size: usize, nearest: usize) -> String {
    let Some(count) = count else {
        return format!("no number of {key} makes images of {size}×{size}, use size = {nearest}");
    };
    let mut fitting = channels[..count.min(channels.len())].to_vec();
    while let Some(&last) = fitting.last().filter(|_| fitting.len() < count) {
        fitting.push(last.div_ceil(2));
    }
    format!("use {key} = {fitting:?} for images of {size}×{size}, or size = {nearest}")
}

/// The multiple of `factor` nearest to `size`, at least one.
pub fn nearest_multiple(size: usize, factor: usize) -> usize {
    ((size + factor / 2) / factor).max(1) * factor
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
    fn whoever_follows_the_advice_is_not_refused() {
        let forms = [
            ("dcgan", "channels", "head = \"transposed\""),
            ("dcgan", "channels", "head = \"conv3\""),
            ("cgan", "channels", ""),
            ("vae", "channels", "encoder_channels = []"),
            ("vae", "encoder_channels", "channels = []"),
            ("began", "channels", ""),
            ("judge", "channels", ""),
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
