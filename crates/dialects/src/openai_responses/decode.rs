//! Reading a client's request.

use crate::{
    form::{Refused, Request},
    json::Fields,
};

/// Reads a request. `model` and `stream` are filled in by the caller.
pub(crate) fn decode_request(fields: Fields) -> Result<Request, Refused> {
    Err(Refused::new(fields.here().to_owned(), "this dialect is not translated yet"))
}
