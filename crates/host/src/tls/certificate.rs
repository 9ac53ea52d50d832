//! What a certificate says: who it is of, and from when to when.

use super::identity::{Identity, IdentityFault, trust_domain};
use cliproxy_domain::WallTime;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use std::time::Duration;
use webpki::EndEntityCert;

mod validity;

/// What a certificate says of whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Who that is.
    pub identity: Identity,
    /// From when to when it holds.
    pub validity: Validity,
}

/// Why a certificate says nothing that is understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It is no X.509 certificate of version 3.
    #[error("it is not an X.509 certificate of version 3")]
    Unreadable,
    /// It names nobody, or several.
    #[error("it has {count} URI names (subject alternative names); it must have one, `spiffe://…`")]
    Names {
        /// How many it has.
        count: usize,
    },
    /// What it names is neither a node nor a control plane.
    #[error(transparent)]
    Identity(#[from] IdentityFault),
}

impl Presented {
    /// Reads a certificate, without checking who signed it. A certificate has one URI name, as SPIFFE wants it
    /// (X509-SVID 2).
    ///
    /// # Errors
    /// When it cannot be read, or does not name one node or control plane.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, CertificateFault> {
        let parsed = EndEntityCert::try_from(certificate).map_err(|_| CertificateFault::Unreadable)?;
        let uris: Vec<&str> = parsed.valid_uri_names().take(16).collect();
        let [uri] = uris[..] else { return Err(CertificateFault::Names { count: uris.len() }) };
        let validity = Validity::read(certificate).ok_or(CertificateFault::Unreadable)?;
        Ok(Self { identity: uri.parse()?, validity })
    }
}

/// What the certificate of one that signs says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The trust domain that it signs for.
    pub trust_domain: String,
    /// From when to when it holds.
    pub validity: Validity,
}

impl Signer {
    /// Reads the first certificate of a bundle in PEM, whose one URI name is the trust domain alone (X509-SVID 3.1).
    ///
    /// # Errors
    /// When there is none, or it names no trust domain: SPIFFE does not demand that a signer does.
    pub fn read_pem(pem: &[u8]) -> Result<Self, CertificateFault> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| CertificateFault::Unreadable)?;
        let parsed = EndEntityCert::try_from(&certificate).map_err(|_| CertificateFault::Unreadable)?;
        let uris: Vec<&str> = parsed.valid_uri_names().take(16).collect();
        let [uri] = uris[..] else { return Err(CertificateFault::Names { count: uris.len() }) };
        let trust_domain = trust_domain(uri)?.to_owned();
        let validity = Validity::read(&certificate).ok_or(CertificateFault::Unreadable)?;
        Ok(Self { trust_domain, validity })
    }
}

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From when.
    pub not_before: WallTime,
    /// Until when.
    pub not_after: WallTime,
}

/// How near the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// Far enough.
    Far,
    /// It should have been renewed: 7 days are left, or a quarter of its time where that is less.
    Soon,
    /// It must be renewed now: 24 hours are left, or an eighth of its time where that is less.
    Urgent,
    /// It holds no longer.
    Expired,
}

const SOON: Duration = Duration::from_secs(7 * 24 * 3600);
const URGENT: Duration = Duration::from_secs(24 * 3600);

impl Validity {
    /// Reads when a certificate holds, which may be one that signs others. `None` for what is no certificate.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        validity::read(certificate)
    }

    /// Tells how near its end is. A certificate is usually renewed after two thirds of its time, so that short ones would
    /// always be near it by a fixed measure.
    pub fn expiry(&self, now: WallTime) -> Expiry {
        let left = self.not_after.since(now);
        let whole = self.not_after.since(self.not_before);
        if now > self.not_after {
            Expiry::Expired
        } else if left <= URGENT.min(whole / 8) {
            Expiry::Urgent
        } else if left <= SOON.min(whole / 4) {
            Expiry::Soon
        } else {
            Expiry::Far
        }
    }

    /// Gives `now`, or the nearest time at which the certificate holds.
    pub(super) fn nearest(&self, now: WallTime) -> WallTime {
        // Not `clamp`: it panics on a certificate that ends before it begins.
        now.max(self.not_before).min(self.not_after)
    }
}

/// Gives a time as the certificate library takes it; before 1970 counts as 1970.
pub(super) fn unix_time(time: WallTime) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(time.0).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn after(days: i64, left: i64) -> Expiry {
        let validity = Validity { not_before: WallTime(0), not_after: WallTime(days * DAY) };
        validity.expiry(WallTime(days * DAY - left))
    }

    #[test]
    fn the_end_of_a_long_certificate_is_near_a_week_before_and_urgent_a_day_before() {
        let near = [8 * DAY, 7 * DAY, DAY + 1, DAY, 0, -1].map(|left| after(365, left));
        use Expiry::*;
        assert_eq!(near, [Far, Soon, Soon, Urgent, Urgent, Expired]);
    }

    #[test]
    fn a_certificate_of_a_week_is_not_near_its_end_from_its_first_day_on() {
        let near = [7 * DAY, 2 * DAY, 7 * DAY / 4, 7 * DAY / 8].map(|left| after(7, left));
        use Expiry::*;
        assert_eq!(near, [Far, Far, Soon, Urgent]);
    }
}
