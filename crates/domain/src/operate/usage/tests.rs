use super::*;

/// 2026-02-19T22:50:30Z.
const NOW: WallTime = WallTime(1_771_541_430_000);

fn read(query: &[(&str, &str)]) -> Result<UsageAsked, OrderError> {
    let pairs: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    UsageAsked::read(&pairs, NOW)
}

fn range(query: &[(&str, &str)]) -> String {
    let range = read(query).and_then(|asked| asked.range(NOW));
    range.map_or_else(|error| error.to_string(), |range| format!("{} to {}", range.start, range.end))
}

#[test]
fn without_parameters_it_is_the_last_day_by_hour_and_provider() {
    let asked = read(&[]).unwrap();
    assert_eq!(asked, UsageAsked::default());
    assert_eq!((asked.period, asked.by.providers(), asked.by.model), (UsagePeriod::Hour, true, false));
    assert_eq!(range(&[]), "2026-02-18T22:00:00Z to 2026-02-19T22:50:30Z");
}

#[test]
fn every_parameter_is_read() {
    let asked = read(&[
        ("from", "2026-02-01T00:00:00Z"),
        ("to", "48h"),
        ("period", "day"),
        ("by", "model,credential"),
        ("provider", "claude"),
        ("model", "m"),
        ("client", "ci"),
        ("limit", "7"),
    ]);
    let expected = UsageAsked {
        from: Some("2026-02-01T00:00:00Z".parse().unwrap()),
        to: Some("2026-02-17T22:50:30Z".parse().unwrap()),
        period: UsagePeriod::Day,
        by: UsageBy { credential: true, model: true, ..UsageBy::default() },
        provider: Some("claude".into()),
        model: Some("m".into()),
        client: Some("ci".into()),
        limit: 7,
        ..UsageAsked::default()
    };
    assert_eq!(asked, Ok(expected));
    assert_eq!(read(&[("by", "none")]).unwrap().by, UsageBy::default());
}

#[test]
fn clients_prices_and_tags_are_told_apart_where_that_is_asked_for() {
    let asked = read(&[("by", "tag:team,client,price,tag:stage,tag:team")]).unwrap();
    assert_eq!(asked.by, UsageBy { client: true, price: true, ..UsageBy::default() });
    assert_eq!(asked.tags, ["stage", "team"]);
    let refused = read(&[("by", "tag:a,tag:b,tag:c,tag:d,tag:e")]).unwrap_err().to_string();
    assert_eq!(refused, "by is 5 tags; give at most 4");
    assert!(read(&[("by", "tag:")]).is_err());
}

#[test]
fn a_table_has_as_many_lines_as_a_node_can_hand_on() {
    let table = read(&[("limit", "7"), ("format", "csv")]).unwrap();
    assert_eq!((table.format, table.limit), (UsageFormat::Csv, 7));
    assert_eq!(read(&[("format", "csv")]).unwrap().limit, MOST_LINES);
    let refused = range(&[("format", "csv"), ("limit", "20001")]);
    assert_eq!(refused, "limit is 20001; give a whole number from 1 to 20000, or leave it out for 20000");
    assert_eq!(range(&[("format", "xml")]), "format is \"xml\"; give one of json, csv, or leave it out");
}

#[test]
fn a_range_begins_where_a_period_does() {
    let cases = [
        ([("from", "90m"), ("period", "minute")], "2026-02-19T21:20:00Z to 2026-02-19T22:50:30Z"),
        ([("from", "90m"), ("period", "hour")], "2026-02-19T21:00:00Z to 2026-02-19T22:50:30Z"),
        ([("from", "30d"), ("period", "day")], "2026-01-20T00:00:00Z to 2026-02-19T22:50:30Z"),
        (
            [("to", "2026-02-19T22:00:00+01:00"), ("period", "hour")],
            "2026-02-18T21:00:00Z to 2026-02-19T21:00:00Z",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(range(&query), expected);
    }
}

#[test]
fn a_refusal_names_the_parameter_and_the_remedy() {
    let cases: [(&[(&str, &str)], &str); 10] = [
        (
            &[("since", "1h")],
            "there is no parameter `since`; known are from, to, period, by, provider, model, client, \
             limit, format",
        ),
        (
            &[("by", "model"), ("by", "provider")],
            "by is \"provider\" after it was given before; give it once",
        ),
        (
            &[("from", "yesterday")],
            "from is \"yesterday\"; give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or \
             leave it out",
        ),
        (
            &[("to", "-1h")],
            "to is \"-1h\"; give a time as 2026-02-19T22:50:00Z, or how long ago as 24h, 90m or 30d, or leave it \
             out",
        ),
        (&[("period", "week")], "period is \"week\"; give one of minute, hour, day, or leave it out"),
        (
            &[("by", "provider,")],
            "by is \"\"; give some of provider, credential, model, client, price and tag:NAME with commas between \
             them, or none, or leave it out",
        ),
        (
            &[("limit", "many")],
            "limit is \"many\"; give a whole number from 1 to 2000, or leave it out for 500",
        ),
        (&[("limit", "0")], "limit is 0; give a whole number from 1 to 2000, or leave it out for 500"),
        (
            &[("from", "1h"), ("to", "2h")],
            "from is 2026-02-19T21:50:30Z; give an earlier time than 2026-02-19T20:50:30Z, where the range ends",
        ),
        (
            &[("from", "7d"), ("period", "minute")],
            "from is 2026-02-12T22:50:00Z; a range has at most 2200 periods; give a later time, or a longer period \
             than minute",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(range(query), expected);
    }
}

#[test]
fn times_far_away_are_refused_and_not_wrapped() {
    let far =
        UsageAsked { from: Some(WallTime(i64::MIN)), to: Some(WallTime(i64::MAX)), ..Default::default() };
    assert!(far.range(NOW).is_err());
    assert!(read(&[("from", "4294967295d")]).unwrap().range(NOW).is_err());
    let nothing = UsageAsked { from: Some(NOW), to: Some(NOW), ..Default::default() };
    assert!(nothing.range(NOW).is_err());
}
