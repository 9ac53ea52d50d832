//! The statements about limits: what is asked for and what is written comes as arrays, one for each column, and what is
//! read says by its place, from 1, what it is about.

/// What of the columns that name a budget's period are arrays.
macro_rules! window_arrays {
    () => {
        "$1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]"
    };
}

/// Joins the periods that are asked for.
macro_rules! asked_windows {
    ($table:literal) => {
        concat!(
            "FROM unnest(",
            window_arrays!(),
            ") WITH ORDINALITY AS k (subject, owner, credential, unit, period_ms, place)
            JOIN ",
            $table,
            " AS t ON t.subject = k.subject AND t.owner = k.owner AND t.credential = k.credential AND t.unit = k.unit
                AND t.period_ms = k.period_ms"
        )
    };
}

pub(super) use {asked_windows, window_arrays};
