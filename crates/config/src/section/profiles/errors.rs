//! `profiles.<name>.errors`: what a server's errors mean where the usual reading is wrong.

use crate::{field::Field, section::choices};
use cliproxy_domain::{ErrorClass, ErrorRule};

/// Reads the rules in their order.
pub fn read(profile: &Field<'_>) -> Vec<ErrorRule> {
    const MOST: usize = 100;
    let Some(list) = profile.section("errors") else { return Vec::new() };
    let items = list.items();
    if items.len() > MOST {
        list.refuse_key(format!("there are more than {MOST} rules; remove some"));
    }
    items.iter().take(MOST).filter_map(read_rule).collect()
}

fn read_rule(item: &Field<'_>) -> Option<ErrorRule> {
    let given = ["status", "code", "message"].map(|key| item.child(key));
    if given.iter().all(Option::is_none) {
        item.refuse("the rule has no condition; give a `status`, a `code` or a part of the `message`");
        return None;
    }
    let [status, code, message] = given;
    let status = status.map(|field| field.number(400..=599).and_then(|status| u16::try_from(status).ok()));
    let code = code.map(|field| field.text().map(|text| text.value));
    let message = message.map(|field| field.text().map(|text| text.value));
    let class = match item.child("class") {
        Some(field) => field.choice("class", &choices(ErrorClass::ALL, ErrorClass::as_str)),
        None => {
            item.refuse("`class` is missing; say what the error means, such as `rate_limit`");
            None
        }
    };
    if status == Some(None) || code == Some(None) || message == Some(None) {
        return None;
    }
    Some(ErrorRule {
        status: status.flatten(),
        code: code.flatten(),
        message: message.flatten(),
        class: class?,
    })
}
