//! The suite that every store passes: one function a case, each on a database of its own.
//!
//! A store's tests implement [`Harness`] and call [`contract_tests!`](crate::contract_tests), which makes each
//! case a test. The cases reach a store through [`Store`] alone, but for the recorded events, which no method
//! gives back.
#![expect(clippy::expect_used, reason = "a case fails by panicking, as the test does that it becomes")]

pub mod config;
pub mod durability;
pub mod events;
pub mod hints;
pub mod identity;
pub mod ledger;
pub mod nodes;
pub mod usage;

mod sample;
#[cfg(test)]
mod tests;

use crate::{Store, StoreError};
use std::{future::Future, sync::Arc};

/// How a case gets a store.
pub trait Harness: Sized + Send {
    /// The store under test.
    type Store: Store;

    /// Makes an empty database and opens it.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// Gives the open store.
    fn store(&self) -> &Arc<Self::Store>;

    /// Closes the store and opens its database again, as a restart does.
    fn reopen(self) -> impl Future<Output = Self> + Send;

    /// Gives the ids of the recorded events, sorted.
    fn event_ids(&self) -> impl Future<Output = Vec<String>> + Send;
}

/// What a case ends with: an error of the store fails it.
pub type CaseResult = Result<(), StoreError>;

/// Makes a `#[tokio::test]` of each case, for the [`Harness`] named. The caller's crate needs tokio with
/// `macros` and `rt`.
#[macro_export]
macro_rules! contract_tests {
    ($harness:ty) => {
        $crate::contract_tests! { @expand $harness;
            config {
                an_empty_store_has_no_configuration
                a_new_configuration_becomes_the_active_one
                the_same_hash_takes_no_new_number
                going_back_to_an_earlier_hash_takes_a_new_number
                numbers_are_contiguous_under_concurrency
                equal_configurations_at_once_take_one_number
                entries_come_back_sorted_and_of_doubles_the_last
                an_earlier_configuration_can_still_be_read
            }
            durability {
                configurations_survive_reopening
                usage_and_cursors_survive_reopening
                cooldowns_and_their_versions_survive_reopening
                nodes_survive_reopening
            }
            events {
                each_event_is_recorded_once
                an_event_is_recorded_once_also_from_two_tasks
                a_resent_event_is_known_after_reopening
                events_are_forgotten_after_their_time
            }
            hints {
                the_first_cooldown_takes_version_one
                a_cooldown_that_changes_nothing_takes_no_version
                a_higher_epoch_wins_over_a_later_end
                values_merge_alike_in_any_order
                changes_of_one_call_are_numbered_in_order
                versions_are_contiguous_under_concurrency
                equal_cooldowns_at_once_take_one_version
                current_cooldowns_are_sorted_and_not_yet_over
                a_cooldown_that_is_over_keeps_its_epoch
                changes_follow_a_version_up_to_the_limit
                nothing_follows_the_newest_version
                a_version_of_another_history_has_no_changes
                changes_that_are_forgotten_are_not_skipped
            }
            identity {
                a_history_keeps_its_name
                two_databases_have_two_histories
                a_ping_changes_nothing
                pings_go_well_beside_other_commits
            }
            ledger {
                batches_move_the_cursor_to_their_end
                reporting_nothing_tells_the_cursor
                a_repeated_batch_counts_once
                reordered_batches_are_taken_in_order
                a_gap_is_left_out_and_asked_for
                a_filled_gap_lets_the_rest_follow
                an_unknown_incarnation_starts_at_its_oldest_unacked
                a_known_cursor_is_not_moved_by_oldest_unacked
                two_incarnations_have_cursors_of_their_own
                a_batch_of_another_incarnation_is_left_out
                one_node_in_two_inputs_is_taken_in_turn
                answers_stand_in_the_order_of_the_inputs
                an_empty_batch_moves_the_cursor
                the_same_batch_from_two_tasks_counts_once
                nodes_that_report_at_once_lose_nothing
                numbers_beyond_the_signed_range_are_kept_apart
            }
            nodes {
                a_later_word_replaces_an_earlier_one
                an_earlier_word_changes_nothing
                an_earlier_incarnation_changes_nothing
                nodes_come_sorted_by_name
            }
            usage {
                sums_equal_what_was_applied
                usage_counts_minutes_that_begin_within_the_range
                windows_far_from_now_count_at_five_minutes
                a_counter_stays_at_its_limit_instead_of_overflowing
                the_share_counts_minutes_with_an_answer
                a_refusal_is_an_answer
                a_cancelled_call_is_no_call
                minutes_outside_the_range_have_no_share
            }
        }
    };
    (@expand $harness:ty; $($module:ident { $($case:ident)* })*) => {
        $(
            mod $module {
                use super::*;
                $(
                    #[tokio::test]
                    async fn $case() -> $crate::contract::CaseResult {
                        $crate::contract::$module::$case::<$harness>().await
                    }
                )*
            }
        )*
    };
}
