//! Writing a request for a provider.

use crate::{
    form::{Refused, Request},
    translate::{Notes, Target},
};

/// Writes a request.
pub(crate) fn encode_request(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let _ = (request, target, notes);
    Err(Refused::new("model", "this dialect is not translated yet"))
}

/// Writes a request for the number of tokens of its prompt.
pub(crate) fn encode_count(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    encode_request(request, target, notes)
}
