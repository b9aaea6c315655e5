//! Errors, as the window shows them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An error as the window shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "api.ts")]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// Stable name that programs may rely on, such as `not-a-project`.
    pub code: String,
    /// What happened, and to what.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The raw cause, shown folded away.
    pub detail: Option<String>,
    /// The safety check that halted a sync: naming it in [`StartSync::allow`] passes over it.
    pub allow: Option<String>,
}

impl ApiError {
    /// An error that has a code and a sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None, detail: None, allow: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the raw cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
