//! How the journal's file is written: places of one size, the first for what the file is of, each with a checksum.

use cliproxy_domain::{BudgetId, LimitSubject, QuotaUnit, WallTime};
use xxhash_rust::xxh3::xxh3_64;

/// A place's size: a divisor of a page, so that none lies across two.
pub(super) const PLACE: usize = 512;

/// What a file begins with. The number is the format's.
const HEAD: &[u8] = b"cliproxy leases 1\n";
const SUM: usize = 8;
/// Stands for no period.
const UNHEARD: i64 = i64::MIN;

/// How much may be spent of a budget in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: BudgetId,
    /// None for whichever the process has not heard of: it spent nothing there.
    pub(super) period: Option<WallTime>,
    pub(super) ceiling: u64,
}

impl Record {
    /// Writes a place; none when the names are too long for one.
    pub(super) fn encode(&self) -> Option<[u8; PLACE]> {
        let (kind, names): (u8, [&str; 2]) = match &self.id.subject {
            LimitSubject::Provider(provider) => (1, [provider.as_str(), ""]),
            LimitSubject::Credential(provider, credential) => (2, [provider.as_str(), credential.as_str()]),
            LimitSubject::Client(client) => (3, [client.as_str(), ""]),
        };
        let unit: u8 = match self.id.unit {
            QuotaUnit::Tokens => 1,
            QuotaUnit::Requests => 2,
            QuotaUnit::Usd => 3,
        };
        let mut bytes = vec![kind, unit];
        bytes.extend(self.ceiling.to_le_bytes());
        bytes.extend(self.period.map_or(UNHEARD, |period| period.0).to_le_bytes());
        for name in names {
            bytes.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
            bytes.extend(name.as_bytes());
        }
        sealed(&bytes)
    }

    fn decode(place: &[u8]) -> Option<Self> {
        let mut rest = opened(place)?;
        let [kind, unit] = take(&mut rest)?;
        let ceiling = u64::from_le_bytes(take(&mut rest)?);
        let period =
            Some(i64::from_le_bytes(take(&mut rest)?)).filter(|period| *period != UNHEARD).map(WallTime);
        let (first, second) = (text(&mut rest)?, text(&mut rest)?);
        let subject = match kind {
            1 => LimitSubject::Provider(first.into()),
            2 => LimitSubject::Credential(first.into(), second.into()),
            3 => LimitSubject::Client(first.into()),
            _ => return None,
        };
        let unit = match unit {
            1 => QuotaUnit::Tokens,
            2 => QuotaUnit::Requests,
            3 => QuotaUnit::Usd,
            _ => return None,
        };
        Some(Self { id: BudgetId { subject, unit }, period, ceiling })
    }
}

/// Writes the first place: the file is of this run of the machine.
pub(super) fn head(boot: &str) -> Option<[u8; PLACE]> {
    sealed(&[HEAD, boot.as_bytes()].concat())
}

/// Reads a file; none when it is of another run, or of another format. A place that is torn or given up says nothing.
pub(super) fn read(content: &[u8], boot: &str) -> Option<Vec<Record>> {
    let (first, places) = content.split_at_checked(PLACE)?;
    if first != head(boot)?.as_slice() {
        return None;
    }
    Some(places.chunks_exact(PLACE).filter_map(Record::decode).collect())
}

fn sealed(bytes: &[u8]) -> Option<[u8; PLACE]> {
    let mut place = [0; PLACE];
    place.get_mut(..PLACE - SUM)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let sum = xxh3_64(&place[..PLACE - SUM]).to_le_bytes();
    place[PLACE - SUM..].copy_from_slice(&sum);
    Some(place)
}

fn opened(place: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = place.split_at_checked(PLACE - SUM)?;
    (xxh3_64(bytes).to_le_bytes() == sum).then_some(bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*first)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (text, left) = rest.split_at_checked(length)?;
    *rest = left;
    std::str::from_utf8(text).ok()
}
