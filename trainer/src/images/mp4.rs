//! MP4, encoded by ffmpeg, which reads the frames from a pipe.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::check;
use super::film::Enlarged;
use crate::files;

/// Whether there is an ffmpeg, for a look before long work.
///
/// # Errors
/// If there is none; says what to install.
pub fn encoder() -> Result<()> {
    let found = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).status();
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "expected ffmpeg, which writes .mp4, found none: install it (on Debian, apt-get install ffmpeg), or write \
             .gif or .png"
        ),
        found => found.map(|_| ()).context("cannot start ffmpeg"),
    }
}

/// Writes `frames`, each `[H, W, C]` with `C` = 1 or 3, as an MP4 without sound, `delay_ms` from one to the next, in
/// colours that every player knows (4:2:0, for which the sides are even).
pub fn save_mp4(path: &Path, frames: &[Vec<u8>], shape: [usize; 3], delay_ms: u32) -> Result<()> {
    check(frames, shape, &[1, 3])?;
    encoder()?;
    let size = Enlarged::of(shape, 2);
    files::replace(path, |temporary| {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo"])
            .args(["-pixel_format", if shape[2] == 1 { "gray" } else { "rgb24" }])
            .args(["-video_size", &format!("{}x{}", size.width, size.height)])
            .args(["-framerate", &format!("1000/{}", delay_ms.max(1)), "-i", "pipe:0"])
            // Neither its version nor the time goes into the file.
            .args(["-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"])
            .args(["-movflags", "+faststart", "-f", "mp4"])
            .arg(temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start ffmpeg")?;
        let mut pipe = ffmpeg.stdin.take().context("ffmpeg has no input")?;
        let written = frames.iter().try_for_each(|frame| pipe.write_all(&size.draw(frame)));
        drop(pipe);
        let output = ffmpeg.wait_with_output()?;
        // What ffmpeg says comes before a pipe that it closed.
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "ffmpeg failed: {}",
            errors.lines().last().unwrap_or("it says nothing").trim()
        );
        Ok(written?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::film::tests::greys;

    #[test]
    fn every_frame_is_in_the_film() {
        if edgegen_sim::skip::or_skip(encoder(), "films in .mp4", "EDGEGEN_FILMS").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let colours: Vec<Vec<u8>> = greys().iter().map(|frame| frame.repeat(3)).collect();
        for (name, frames, channels) in [("grey.mp4", &greys()[..], 1), ("colour.mp4", &colours, 3)] {
            let path = folder.path().join(name);
            save_mp4(&path, frames, [3, 4, channels], 50).unwrap();
            let decoded = Command::new("ffmpeg")
                .args(["-nostdin", "-loglevel", "error", "-i"])
                .arg(&path)
                .args(["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
                .output()
                .unwrap();
            assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
            let frames: Vec<&[u8]> = decoded.stdout.chunks(224 * 168).collect();
            assert_eq!(frames.len(), 3);
            for (frame, grey) in frames.iter().zip(greys()) {
                // The film keeps fewer levels, and an encoder of films loses some.
                assert!(frame.iter().all(|&level| level.abs_diff(grey[0]) < 6), "{:?}", &frame[..8]);
            }
        }
    }
}
