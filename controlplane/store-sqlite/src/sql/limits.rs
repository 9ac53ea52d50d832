//! The statements about limits: what is asked for and what is written comes as one JSON array of rows, each an array of
//! its columns, so that a claim of many nodes costs a few statements and not one for each row. What is read says by its
//! place, from 0, what it is about.

/// Takes these columns of rows that come as JSON.
macro_rules! cells {
    ($first:literal $($cell:literal)*) => {
        concat!("value ->> ", $first $(, ", value ->> ", $cell)*, " FROM json_each(?1)")
    };
}

/// Joins the rows of a table that are asked for: those of limits, by further columns if there are any. In this order, as
/// the database does not know that few are asked for and might go through the table instead.
macro_rules! asked {
    ($table:literal, $counts:literal $(, $column:literal = $cell:literal)*) => {
        concat!(
            " FROM json_each(?1) AS k CROSS JOIN ",
            $table,
            " AS t ON t.subject = k.value ->> 0 AND t.owner = k.value ->> 1 AND t.credential = k.value ->> 2 AND t.",
            $counts,
            " = k.value ->> 3"
            $(, " AND t.", $column, " = k.value ->> ", $cell)*
        )
    };
}

pub(super) use {asked, cells};
