//! A CA, and what it signs.

use super::{Signed, Subject};
use anyhow::Context as _;
use cliproxy_domain::WallTime;
use cliproxy_host::tls::{Identity, Role, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use std::time::Duration;

/// Certificates hold from an hour ago on: clocks differ.
const BACK: Duration = Duration::from_secs(3600);

/// A CA. It names its trust domain as SPIFFE wants it, and all else about it follows from that and its key, so that
/// nothing else must be kept.
pub(super) struct Authority {
    trust_domain: String,
    /// Until when it holds, and with it what it signs.
    not_after: WallTime,
    pub(super) signed: Signed,
}

impl Authority {
    /// Makes one.
    pub(super) fn make(trust_domain: &str, now: WallTime, hold: Duration) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        let not_after = hold_from(&mut params, now, now.plus(hold));
        let key = KeyPair::generate()?;
        params.distinguished_name = name(trust_domain, &key);
        params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
        // It signs processes, and no other CA.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        let signed = Signed { certificate, key: key.serialize_pem() };
        Ok(Self { trust_domain: trust_domain.to_owned(), not_after, signed })
    }

    /// Opens one that was made before.
    pub(super) fn open(signed: Signed) -> anyhow::Result<Self> {
        let Signer { trust_domain, validity } = Signer::read_pem(signed.certificate.as_bytes())
            .context("ca.crt was not made by this command; begin with an empty folder")?;
        Ok(Self { trust_domain, not_after: validity.not_after, signed })
    }

    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Gives until when it holds.
    pub(super) fn not_after(&self) -> WallTime {
        self.not_after
    }

    /// Signs for a process, with a new key.
    pub(super) fn sign(&self, subject: &Subject, now: WallTime, hold: Duration) -> anyhow::Result<Signed> {
        let identity = Identity::new(&self.trust_domain, subject.role, &subject.name)?;
        let mut params = CertificateParams::new(subject.hosts.clone())?;
        // Nothing holds longer than what signed it.
        hold_from(&mut params, now, now.plus(hold).min(self.not_after));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, short(&subject.name));
        params.subject_alt_names.push(uri(&identity.to_string())?);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match subject.role {
            Role::ControlPlane => ExtendedKeyUsagePurpose::ServerAuth,
            Role::Node => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer()?)?.pem();
        Ok(Signed { certificate, key: key.serialize_pem() })
    }

    fn issuer(&self) -> anyhow::Result<Issuer<'static, KeyPair>> {
        let key = KeyPair::from_pem(&self.signed.key).context("ca.key holds no key that can be used")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&self.trust_domain, &key);
        Ok(Issuer::new(params, key))
    }
}

/// Names a CA: one from another of the same trust domain, by its key.
fn name(trust_domain: &str, key: &KeyPair) -> DistinguishedName {
    let id = CertificateParams::default().key_identifier(key);
    let id: String = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, short(trust_domain));
    name.push(DnType::CommonName, format!("cliproxy CA {id}"));
    name
}

/// Cuts a name to what X.520 allows (`ub-common-name`). Nothing depends on it: the URI names the process.
fn short(name: &str) -> &str {
    // All of its characters are ASCII.
    &name[..name.len().min(64)]
}

fn uri(text: &str) -> anyhow::Result<SanType> {
    Ok(SanType::URI(text.try_into()?))
}

/// Lets a certificate hold from a little before `now`; gives until when.
fn hold_from(params: &mut CertificateParams, now: WallTime, until: WallTime) -> WallTime {
    let at = |time: WallTime| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(time.0 / 1000).unwrap_or(0))
    };
    (params.not_before, params.not_after) = (at(now.minus(BACK)), at(until));
    until
}
