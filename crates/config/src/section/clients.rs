//! `clients`: who may ask, for what, and how much.

mod keys;
mod reach;

use super::{
    choices,
    limits::{budget, rate},
    providers::{self, Providers},
};
use crate::field::Field;
use cliproxy_domain::{
    Alias, Client, ClientName, KeyHash, LimitSubject, ModelName, Priority, Quota, WallTime,
};
use std::collections::BTreeMap;

/// The most clients; each costs every node memory.
const MOST: usize = 10_000;

/// What the tags of a client may be.
const MOST_TAGS: usize = 16;
const LONGEST_TAG: usize = 64;
const LONGEST_TAG_VALUE: usize = 128;

/// What else is configured.
pub struct Around<'a> {
    /// The providers.
    pub providers: &'a Providers,
    /// The names for several targets.
    pub aliases: &'a BTreeMap<ModelName, Alias>,
    /// The time, for keys that have expired.
    pub now: WallTime,
}

/// Reads the section.
pub fn read(root: &Field<'_>, around: &Around<'_>) -> BTreeMap<ClientName, Client> {
    let mut clients = BTreeMap::new();
    let mut keys: BTreeMap<KeyHash, String> = BTreeMap::new();
    let Some(section) = root.section("clients") else { return clients };
    let items = section.items();
    if items.len() > MOST {
        section.refuse_key(format!(
            "there are more than {MOST} clients; let some share one, told apart by keys"
        ));
        return clients;
    }
    // All are read before any is given up, so that one run finds everything.
    for item in &items {
        let client = read_client(item, around, &mut keys);
        if let Some(client) = client
            && let Some(known) = clients.insert(client.name.clone(), client)
            && let Some(field) = item.child("name")
        {
            field.refuse(format!("another client is called `{}`; choose a different name", known.name));
        }
    }
    clients
}

fn read_client(
    item: &Field<'_>,
    around: &Around<'_>,
    keys: &mut BTreeMap<KeyHash, String>,
) -> Option<Client> {
    let name = match item.child("name") {
        Some(field) => read_name(&field),
        None => {
            item.refuse("`name` is missing; usage is counted by it, and keys are made for it");
            None
        }
    };
    let owner = name.as_ref().map_or("", ClientName::as_str);
    let own_keys = keys::read(item, owner, around.now, keys);
    let providers = reach::read_providers(item, around);
    let models = providers.as_ref().and_then(|providers| reach::read_models(item, providers, around));
    let tags = read_tags(item);
    let rate_limit = rate::read(item);
    let subject = LimitSubject::Client(ClientName::from(owner));
    let budgets = read_budgets(item, &subject);
    let priority = match item.child("priority") {
        Some(field) => field.choice("priority", &choices(Priority::ALL, Priority::as_str)),
        None => Some(Priority::default()),
    };
    Some(Client {
        name: name?,
        keys: own_keys?,
        models: models?,
        providers: providers?,
        tags: tags?,
        rate_limit: rate_limit?,
        budgets: budgets?,
        priority: priority?,
    })
}

/// Reads a client's name, which stands in URLs and in metrics.
fn read_name(field: &Field<'_>) -> Option<ClientName> {
    let text = field.text()?;
    if !providers::is_name(&text.value) {
        field.refuse(format!("{} cannot name a client; {}", field.shown(), providers::NAME_REMEDY));
        return None;
    }
    Some(ClientName::from(text.value))
}

/// Reads `tags`: few and short, since they go wherever usage is told.
fn read_tags(client: &Field<'_>) -> Option<BTreeMap<String, String>> {
    let Some(section) = client.section("tags") else { return Some(BTreeMap::new()) };
    let entries = section.entries();
    if entries.len() > MOST_TAGS {
        section.refuse_key(format!("there are more than {MOST_TAGS} tags; remove some"));
        return None;
    }
    let read = |(key, field): &(&str, Field<'_>)| {
        let key_is_sound = key.len() <= LONGEST_TAG && providers::is_name(key);
        if !key_is_sound {
            field.refuse_key(format!("this cannot name a tag; {}", providers::NAME_REMEDY));
        }
        let text = field.text()?;
        let long = text.value.chars().count() > LONGEST_TAG_VALUE;
        if long || text.value.chars().any(char::is_control) {
            field.refuse(format!("write at most {LONGEST_TAG_VALUE} characters, none of them a line break"));
            return None;
        }
        key_is_sound.then(|| ((*key).to_owned(), text.value))
    };
    entries.iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

/// Reads `budget`, or the list `budgets`: at most one of each unit.
fn read_budgets(client: &Field<'_>, subject: &LimitSubject) -> Option<Vec<Quota>> {
    let (single, list) = (client.section("budget"), client.section("budgets"));
    if let (Some(single), Some(_)) = (&single, &list) {
        single.refuse_key("`budget` and `budgets` are both given; move this one into the list");
        return None;
    }
    let items: Vec<Field<'_>> = single.into_iter().chain(list.iter().flat_map(Field::items)).collect();
    let mut budgets: Vec<Quota> = Vec::new();
    let mut sound = true;
    for item in &items {
        let Some(budget) = budget::read_section(item, subject) else {
            sound = false;
            continue;
        };
        if budgets.iter().any(|known| known.unit == budget.unit) {
            let unit = budget.unit.as_str();
            let field = item.child("unit").unwrap_or_else(|| item.clone());
            field.refuse(format!(
                "another budget of this client counts `{unit}` as well; keep the smaller one"
            ));
            sound = false;
            continue;
        }
        budgets.push(budget);
    }
    sound.then_some(budgets)
}
