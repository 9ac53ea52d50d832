//! `profiles`: how servers that call themselves OpenAI-compatible differ from OpenAI, each under a name that
//! providers refer to.

pub mod built_in;
mod errors;
mod http;
mod patch;

use self::{built_in::BuiltIn, patch::Patch};
use super::providers::check_name;
use crate::field::Field;
use cliproxy_domain::Profile;
use std::cell::Cell;

/// The declared profiles, beside those that are built in.
pub struct Profiles<'a> {
    declared: Vec<Declared<'a>>,
}

/// One declared profile.
struct Declared<'a> {
    name: &'a str,
    field: Field<'a>,
    patch: Patch,
    extends: Base,
    /// Whether a provider refers to it, or a profile that one refers to.
    used: Cell<bool>,
}

/// What a profile starts from.
#[derive(Clone, Copy)]
enum Base {
    BuiltIn(BuiltIn),
    /// The number of a declared one.
    Declared(usize),
    /// Nothing that there is, or itself by some way, which is reported.
    Wrong,
}

/// A profile with everything filled in.
pub struct Resolved {
    /// What it says.
    pub profile: Profile,
    /// The built-in one that it goes back to.
    pub origin: BuiltIn,
}

impl From<BuiltIn> for Resolved {
    fn from(origin: BuiltIn) -> Self {
        Self { profile: origin.profile(), origin }
    }
}

/// Reads the section.
pub fn read<'a>(root: &Field<'a>) -> Profiles<'a> {
    const MOST: usize = 1_000;
    let mut profiles = Profiles { declared: Vec::new() };
    let Some(section) = root.section("profiles") else { return profiles };
    let entries = section.entries();
    if entries.len() > MOST {
        section.refuse_key(format!("there are more than {MOST} profiles; remove some"));
    }
    for (name, field) in entries.into_iter().take(MOST) {
        check_name("profile", name, &field);
        if built_in(name).is_some() {
            let remedy = "choose another and refer to this one with `extends`";
            field.refuse_key(format!("a built-in profile has this name; {remedy}"));
        }
        let patch = Patch::read(&field);
        let extends = Base::BuiltIn(BuiltIn::Generic);
        profiles.declared.push(Declared { name, field, patch, extends, used: Cell::new(false) });
    }
    let bases: Vec<Base> = profiles.declared.iter().map(|declared| profiles.base(declared)).collect();
    for (declared, base) in profiles.declared.iter_mut().zip(bases) {
        declared.extends = base;
    }
    profiles.refuse_cycles();
    profiles
}

impl Profiles<'_> {
    /// Gives the profile that `field` names. An unknown name is reported; one that is wrong in itself was before.
    pub fn find(&self, field: &Field<'_>) -> Option<Resolved> {
        let name = field.text()?;
        if let Some(built_in) = built_in(&name.value) {
            return Some(built_in.into());
        }
        let Some(index) = self.position(&name.value) else {
            field.refuse(format!("there is no profile {}; {}", field.shown(), name.advice(self.names())));
            return None;
        };
        let resolved = self.resolve(index)?;
        let Profile { auth_header, headers, .. } = &resolved.profile;
        if headers.iter().any(|(name, _)| name == auth_header) {
            // Either may come from a profile that this one extends, so that neither place is at fault alone.
            let remedy = "remove it from `headers`, or name another `auth_header`";
            field.refuse(format!(
                "the profile sets `{auth_header}`, which carries the key, as well; {remedy}"
            ));
            return None;
        }
        Some(resolved)
    }

    /// Warns of each profile that no provider uses.
    pub fn warn_of_unused(&self) {
        for declared in self.declared.iter().filter(|declared| !declared.used.get()) {
            declared.field.warn_key("no provider uses this profile");
        }
    }

    fn base(&self, declared: &Declared<'_>) -> Base {
        let Some(field) = declared.field.child("extends") else { return Base::BuiltIn(BuiltIn::Generic) };
        let Some(name) = field.text() else { return Base::Wrong };
        if let Some(built_in) = built_in(&name.value) {
            return Base::BuiltIn(built_in);
        }
        if let Some(index) = self.position(&name.value) {
            return Base::Declared(index);
        }
        field.refuse(format!("there is no profile {}; {}", field.shown(), name.advice(self.names())));
        Base::Wrong
    }

    /// Reports each circle of profiles once, at its first member.
    fn refuse_cycles(&mut self) {
        for start in 0..self.declared.len() {
            let Some(circle) = self.circle(start) else { continue };
            let names: Vec<&str> = circle.iter().map(|&index| self.declared[index].name).collect();
            let way = names.iter().chain(names.first()).copied().collect::<Vec<_>>().join(" → ");
            if let Some(field) = self.declared[start].field.child("extends") {
                let way = crate::mask::shown(&way);
                field
                    .refuse(format!("the profile extends itself ({way}); let one of them extend a built-in"));
            }
            for index in circle {
                self.declared[index].extends = Base::Wrong;
            }
        }
    }

    /// Gives the profiles from `start` back to `start`, if that is where its bases lead.
    fn circle(&self, start: usize) -> Option<Vec<usize>> {
        let mut way = vec![start];
        let mut at = start;
        // No way without a circle is longer than this.
        for _ in 0..self.declared.len() {
            let Base::Declared(next) = self.declared[at].extends else { return None };
            if next == start {
                return Some(way);
            }
            way.push(next);
            at = next;
        }
        None
    }

    /// Puts a profile together, from the built-in one that it goes back to up to itself.
    fn resolve(&self, index: usize) -> Option<Resolved> {
        let mut way = vec![index];
        let mut extends = self.declared[index].extends;
        let origin = loop {
            match extends {
                Base::BuiltIn(built_in) => break Some(built_in),
                Base::Wrong => break None,
                // Circles were cut, so that this ends.
                Base::Declared(next) => {
                    way.push(next);
                    extends = self.declared[next].extends;
                }
            }
        };
        way.iter().for_each(|&index| self.declared[index].used.set(true));
        let origin = origin?;
        let mut profile = origin.profile();
        way.iter().rev().for_each(|&index| self.declared[index].patch.apply(&mut profile));
        Some(Resolved { profile, origin })
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.declared.iter().position(|declared| declared.name == name)
    }

    /// Lists the names that there are, the declared ones first.
    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.declared.iter().map(|declared| declared.name).chain(BuiltIn::ALL.map(BuiltIn::name))
    }
}

fn built_in(name: &str) -> Option<BuiltIn> {
    BuiltIn::ALL.into_iter().find(|built_in| built_in.name() == name)
}
