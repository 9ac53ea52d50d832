//! A scriptable upstream: a real HTTP server (HTTP/1.1 and cleartext HTTP/2) that plays Anthropic, OpenAI
//! and Gemini, for `demo`, tests and benches. `docs/reference/mock-provider.md` describes its script.
//!
//! A request passes the modules in this order: `provider` accepts, `link` is its connection,
//! `serve` answers it: `route` finds the endpoint and the key, `wire` reads the request, `strict` refuses
//! what the real API would, `rules` find what the `script` says, `answer` decides what is said, `wire`
//! spells it as `rope`s of `text`, `body` sends it, and `log` remembers how it ended. `control` serves
//! `/__mock/…`.
//!
//! It knows nothing of the gateway's own dialect code, so that each checks the other.

mod answer;
mod body;
mod clock;
mod control;
mod link;
mod log;
mod provider;
mod rope;
mod route;
mod rules;
mod script;
mod serve;
mod strict;
mod text;
mod wire;

pub use self::{
    log::{ENTRIES_KEPT, Entry, Log, Outcome, Totals, TotalsOf},
    provider::{MockOptions, MockProvider},
    rules::ScriptError,
    script::{
        Behaviour, Call, Chunk, Ending, ErrorKind, Family, Finish, Fixture, Hint, Key, Latency, Operation,
        Payload, Point, Reply, Rule, Script, Usage, UsageDetails,
    },
};
