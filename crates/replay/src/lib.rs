//! Makes what a process draws from its operating system repeatable, for simulations that replay a seed.
//!
//! The standard library keys its hash maps from the system's randomness, and tokio seeds from such keys in which order
//! it wakes whoever waits on a watch. Neither can be told a seed. Both ask `getrandom`, which the standard library
//! resolves weakly so that a program may put its own in place; a program that calls [`seed`] does. Until that call the
//! system's randomness goes through.
//!
//! Only for tests: nothing that runs outside of one may link this. Secrets of the TLS library do not come from here.
#![deny(missing_docs)]

use std::{
    fs::File,
    io::Read as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

static SEEDED: AtomicBool = AtomicBool::new(false);
static STATE: AtomicU64 = AtomicU64::new(0);

/// Gives the process the randomness of `seed` from now on. Threads that have hashed before keep the keys they have:
/// what is to be repeated runs in a thread that begins after this call, in a process that did nothing else before.
pub fn seed(seed: u64) {
    STATE.store(seed, Ordering::SeqCst);
    SEEDED.store(true, Ordering::SeqCst);
}

/// Draws from SplitMix64.
fn draw() -> u64 {
    const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = STATE.fetch_add(GOLDEN_GAMMA, Ordering::SeqCst).wrapping_add(GOLDEN_GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Fills a buffer; tells whether it could.
fn fill(buffer: &mut [u8]) -> bool {
    if !SEEDED.load(Ordering::SeqCst) {
        return File::open("/dev/urandom").and_then(|mut source| source.read_exact(buffer)).is_ok();
    }
    for part in buffer.chunks_mut(8) {
        part.copy_from_slice(&draw().to_le_bytes()[..part.len()]);
    }
    true
}

/// Stands in for the C library's function of that name, see `getrandom(2)`.
#[expect(unsafe_code, reason = "the symbol is how the standard library is told its randomness")]
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if buffer.is_null() || length == 0 {
        return 0;
    }
    // SAFETY: by its contract the caller gives `length` bytes that nobody else touches during the call. They may not
    // be initialised, so they are before a reference to them is made.
    let buffer = unsafe {
        buffer.write_bytes(0, length);
        std::slice::from_raw_parts_mut(buffer, length)
    };
    if fill(buffer) { isize::try_from(length).unwrap_or(-1) } else { -1 }
}

#[cfg(test)]
mod tests {
    use std::{
        hash::{BuildHasher as _, RandomState},
        thread,
    };

    /// Keys are kept by each thread: a new one asks for new ones.
    fn drawn_by_a_thread() -> u64 {
        thread::spawn(|| RandomState::new().hash_one(1)).join().unwrap()
    }

    #[test]
    fn threads_that_begin_after_a_seed_hash_alike() {
        let unseeded = (drawn_by_a_thread(), drawn_by_a_thread());
        assert_ne!(unseeded.0, unseeded.1);
        super::seed(7);
        let first = (drawn_by_a_thread(), drawn_by_a_thread());
        super::seed(7);
        assert_eq!(first, (drawn_by_a_thread(), drawn_by_a_thread()));
        super::seed(8);
        assert_ne!(first.0, drawn_by_a_thread());
    }
}
