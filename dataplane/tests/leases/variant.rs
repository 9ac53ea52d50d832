//! The model as it is, and ways in which others have built it that do not hold.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As it is.
    #[default]
    AsBuilt,
    /// Slices come back when their holder is silent for a while.
    RefundOnExpiry,
    /// A node reckons the end of a period by its wall clock.
    PeriodByWallClock,
    /// A node reckons the end of a share by its wall clock.
    TtlByWallClock,
    /// A node counts a share from when it hears of it.
    TtlFromReceipt,
    /// A share that shrinks makes room for others before its node has heard of it.
    ShrinksAtOnce,
    /// Claims are taken in the order in which they come.
    LateClaims,
    /// Each node counts for itself.
    CounterOfEachNode,
}
