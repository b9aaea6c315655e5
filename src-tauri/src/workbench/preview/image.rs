//! Images that are safe to show, and the tokens by which the window gets them.
//!
//! The window may load nothing but what hangs here, and only the images of the last preview do.
//! Width and height are read from the first bytes before anything is decoded: a few kilobytes can
//! claim to be gigapixels.

use std::sync::{Arc, Mutex, PoisonError};

use super::IMAGE;
use crate::api::ImageSide;

/// The scheme under which the window asks for images.
pub(crate) const SCHEME: &str = "preview";
/// Most pixels that are decoded: 50 million, 200 MB in memory.
const PIXELS: u64 = 50_000_000;

type Picture = (String, &'static str, Arc<[u8]>);

/// The images of the last preview.
#[derive(Default)]
pub(in super::super) struct Gallery(Mutex<Vec<Picture>>);

impl Gallery {
    /// Takes all images down.
    pub(in super::super) fn clear(&self) {
        self.pictures().clear();
    }

    /// An image's bytes and their type.
    pub(in super::super) fn get(&self, token: &str) -> Option<(&'static str, Arc<[u8]>)> {
        let pictures = self.pictures();
        let found = pictures.iter().find(|(name, ..)| name == token)?;
        Some((found.1, found.2.clone()))
    }

    /// Makes an image visible, if it is safe.
    pub(super) fn hang(&self, bytes: &[u8], whole: bool) -> ImageSide {
        let (size, kind) = (imagesize::blob_size(bytes), media_type(bytes));
        let (Ok(size), Some(kind)) = (size, kind) else {
            return hidden(0, 0, "This image cannot be read.".to_owned());
        };
        let (width, height) = (size.width as u64, size.height as u64);
        if !whole {
            let limit = IMAGE / (1024 * 1024);
            return hidden(
                width,
                height,
                format!("It is larger than {limit} MiB; open it in another program."),
            );
        }
        if width.saturating_mul(height) > PIXELS {
            let limit = PIXELS / 1_000_000;
            return hidden(
                width,
                height,
                format!("It has more than {limit} million pixels; open it in another program."),
            );
        }
        let token = uuid::Uuid::now_v7().simple().to_string();
        // Some web views only know schemes of the form http://SCHEME.localhost.
        let url = if cfg!(any(windows, target_os = "android")) {
            format!("http://{SCHEME}.localhost/{token}")
        } else {
            format!("{SCHEME}://localhost/{token}")
        };
        self.pictures().push((token, kind, bytes.into()));
        ImageSide { url: Some(url), width, height, reason: None }
    }

    fn pictures(&self) -> std::sync::MutexGuard<'_, Vec<Picture>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hidden(width: u64, height: u64, reason: String) -> ImageSide {
    ImageSide { url: None, width, height, reason: Some(reason) }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    Some(match imagesize::image_type(bytes).ok()? {
        imagesize::ImageType::Png => "image/png",
        imagesize::ImageType::Jpeg => "image/jpeg",
        imagesize::ImageType::Gif => "image/gif",
        imagesize::ImageType::Bmp => "image/bmp",
        imagesize::ImageType::Webp => "image/webp",
        _ => return None,
    })
}
