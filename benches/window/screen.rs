//! What a person sees, and when: the pixels of the invisible screen, looked at from outside. The
//! program under measurement knows nothing of it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Tried;

/// So long a window may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks, which cost some time of a processor that the window has to do without.
const BEAT: Duration = Duration::from_millis(8);
/// The ground of the page, of the empty one too, on a dark desktop: `0x00RRGGBB`.
const GROUND: u32 = 0x001b_1d1f;
/// Of every so many pixels one is looked at, in both directions.
const STRIDE: usize = 3;

/// A rectangle of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) right: usize,
    pub(crate) bottom: usize,
}

/// The screen of a stage.
pub(crate) struct Screen {
    file: File,
    start: u64,
    line: usize,
}

impl Screen {
    /// The pixels that `Xvfb -fbdir` keeps in a file, in the format of `xwd`.
    pub(crate) fn of(file: &Path) -> Tried<Self> {
        let file = File::open(file)?;
        let field = |number: u64| -> Tried<usize> {
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, number * 4)?;
            Ok(usize::try_from(u32::from_be_bytes(bytes))?)
        };
        let (header, depth, line, colours) = (field(0)?, field(11)?, field(12)?, field(19)?);
        if depth != 32 {
            return Err(format!("a screen with {depth} bits for a pixel").into());
        }
        Ok(Self { start: u64::try_from(header + colours * 12)?, line, file })
    }

    /// Some pixels of an area.
    fn sample(&self, area: Area) -> Tried<Vec<u32>> {
        let mut found = Vec::new();
        let mut line = vec![0_u8; (area.right - area.left) * 4];
        for y in (area.top..area.bottom).step_by(STRIDE) {
            let at = self.start + u64::try_from(y * self.line + area.left * 4)?;
            self.file.read_exact_at(&mut line, at)?;
            let pixels = line.chunks_exact(4).step_by(STRIDE);
            found.extend(pixels.map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0])));
        }
        Ok(found)
    }

    /// Waits until a page stands in an area: its ground, and something on it.
    pub(crate) fn painted(&self, area: Area, begun: Instant) -> Tried<Duration> {
        until(begun, || {
            let pixels = self.sample(area)?;
            let ground = pixels.iter().filter(|pixel| **pixel == GROUND).count();
            Ok(ground * 3 > pixels.len() && pixels.len() - ground > 40)
        })
    }

    /// When an area got the look that it kept for `still`.
    pub(crate) fn settled(&self, area: Area, begun: Instant, still: Duration) -> Tried<Duration> {
        let (mut last, mut since) = (Vec::new(), begun);
        until(begun, || {
            let pixels = self.sample(area)?;
            if pixels != last {
                (last, since) = (pixels, Instant::now());
            }
            let ground = last.iter().filter(|pixel| **pixel == GROUND).count();
            Ok(ground * 3 > last.len() && ground < last.len() && since.elapsed() >= still)
        })?;
        Ok(since - begun)
    }
}

fn until(begun: Instant, mut is: impl FnMut() -> Tried<bool>) -> Tried<Duration> {
    while !is()? {
        if begun.elapsed() > PATIENCE {
            return Err("nothing was painted".into());
        }
        std::thread::sleep(BEAT);
    }
    Ok(begun.elapsed())
}
