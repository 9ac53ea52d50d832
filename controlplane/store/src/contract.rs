//! The suite that every store passes: one function a case, each on a database of its own.
//!
//! A store's tests implement [`Harness`] and call [`contract_tests!`](crate::contract_tests), which makes each
//! case a test. The cases reach a store through [`Store`] alone, but for the recorded events, which no method
//! gives back.
#![expect(clippy::expect_used, reason = "a case fails by panicking, as the test does that it becomes")]

pub mod audit;
pub mod budgets;
pub mod changed_limits;
pub mod changes;
pub mod checks;
pub mod config;
pub mod durability;
pub mod events;
pub mod fences;
pub mod hint_log;
pub mod hint_values;
pub mod hints;
pub mod identity;
pub mod late;
pub mod leases;
pub mod ledger;
pub mod nodes;
pub mod posts;
pub mod rates;
pub mod requests;
pub mod tidy;
pub mod usage;
pub mod usage_by;
pub mod usage_of;

pub(crate) mod claims;
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

    /// Opens the same database once more, as another replica does, where it can be; gives the open store where not.
    fn another(&self) -> impl Future<Output = Arc<Self::Store>> + Send {
        let store = Arc::clone(self.store());
        async move { store }
    }

    /// Gives the ids of the recorded events, sorted.
    fn event_ids(&self) -> impl Future<Output = Vec<String>> + Send;

    /// Has a newer version of the program write a value of a kind that this one does not know, under the next version.
    fn write_unknown(&self) -> impl Future<Output = ()> + Send;

    /// Has replica `a` post that many times, with nothing in it, as no other post is there yet. A store to which each
    /// commit is dear writes all of them in one.
    fn post_often(&self, times: u64) -> impl Future<Output = CaseResult> + Send {
        let store = Arc::clone(self.store());
        async move {
            for _ in 0..times {
                store.post("a".into(), vec![]).await?;
            }
            Ok(())
        }
    }
}

/// What a case ends with: an error of the store fails it.
pub type CaseResult = Result<(), StoreError>;

/// Makes a `#[tokio::test]` of each case, for the [`Harness`] named. The caller's crate needs tokio with
/// `macros` and `rt`.
#[macro_export]
macro_rules! contract_tests {
    ($harness:ty) => {
        $crate::contract_tests! { @expand $harness;
            audit {
                entries_come_the_newest_first
                every_field_of_an_entry_comes_back_as_it_was
                an_entry_is_written_once
                entries_of_many_tasks_are_all_there_once
                filters_hold_alone_and_together
                entries_are_forgotten_after_their_time
            }
            budgets {
                a_claim_is_granted_a_slice_of_what_is_left
                a_lost_grant_creates_no_budget
                claims_that_come_late_or_twice_change_nothing
                what_one_gives_back_another_gets_at_once
                who_waits_in_vain_has_others_recalled
                many_at_once_never_pass_the_limit
                a_period_begins_with_what_was_spent_before
                a_period_that_nobody_counted_is_not_begun
                a_period_that_is_over_is_settled_and_not_granted_of
                a_budget_that_is_no_more_is_settled
                what_a_dead_process_left_comes_back_by_the_word_of_the_next
                a_grant_that_nobody_heard_of_comes_back
                a_store_that_learns_writes_down_and_grants_nothing
                a_part_of_the_limit_is_told_once_when_it_is_spent
                one_of_many_is_told_of_a_part_of_the_limit
                an_operator_takes_back_what_a_node_holds
                nonsense_neither_wraps_nor_grants
                slices_survive_reopening
                periods_are_forgotten_after_their_time
            }
            changed_limits {
                another_limit_holds_at_once
                a_limit_that_is_lowered_recalls_what_is_out
                a_period_that_is_made_longer_is_counted_anew
                what_was_spent_while_a_budget_was_away_is_spent
                who_has_forgotten_what_it_closed_is_told_nothing
            }
            changes {
                a_change_writes_hints_audit_and_outcome
                a_change_without_hints_is_written_and_takes_no_version
                a_repeated_change_writes_nothing_twice
                a_call_that_is_remembered_changes_nothing_whatever_comes_under_its_name
                whoever_sees_one_part_of_a_change_sees_all_of_it
                equal_changes_at_once_are_written_once
                an_outcome_is_that_of_its_own_call
                outcomes_are_forgotten_after_their_time
            }
            checks {
                checks_add_up_over_calls_and_minutes
                checks_count_minutes_that_begin_within_the_range
                checks_of_many_tasks_all_count
                a_count_stays_at_its_limit_instead_of_overflowing
                checks_are_forgotten_after_their_time
            }
            config {
                an_empty_store_has_no_configuration
                a_new_configuration_becomes_the_active_one
                the_same_hash_takes_no_new_number
                going_back_to_an_earlier_hash_takes_a_new_number
                numbers_are_contiguous_under_concurrency
                equal_configurations_at_once_take_one_number
                entries_come_back_sorted_and_of_doubles_the_last
                an_earlier_configuration_can_still_be_read
                configurations_are_listed_the_newest_first
                the_list_of_configurations_stops_at_the_limit
                a_text_comes_back_for_its_number
                numbers_that_are_taken_are_passed_over
                a_new_text_of_the_same_configuration_replaces_the_one_kept
                a_configuration_follows_the_newest_or_is_refused
                the_active_configuration_is_never_superseded
                of_many_that_follow_the_same_one_wins
            }
            durability {
                configurations_survive_reopening
                usage_and_cursors_survive_reopening
                hints_and_their_versions_survive_reopening
                the_audit_log_and_outcomes_survive_reopening
                checks_and_requests_survive_reopening
                nodes_survive_reopening
                leases_survive_reopening
                posts_survive_reopening
                texts_of_configurations_survive_reopening
                roll_ups_survive_reopening
            }
            events {
                each_event_is_recorded_once
                an_event_is_recorded_once_also_from_two_tasks
                a_resent_event_is_known_after_reopening
                events_are_forgotten_after_their_time
            }
            fences {
                whoever_has_the_lease_writes
                a_change_under_a_stale_fence_does_nothing_at_all
                a_remembered_call_under_a_stale_fence_is_refused
                checks_under_a_stale_fence_are_not_counted
                nothing_is_forgotten_under_a_stale_fence
                nothing_is_written_under_a_lease_that_was_given_up
                whoever_loses_the_lease_in_between_is_refused
            }
            hint_log {
                changes_follow_a_version_up_to_the_limit
                nothing_follows_the_newest_version
                a_version_of_another_history_has_no_changes
                changes_that_are_forgotten_are_not_skipped
                what_a_newer_version_wrote_is_passed_over
            }
            hint_values {
                every_field_of_a_hint_comes_back_as_it_was
                scopes_are_told_apart_whatever_the_names
                parts_of_a_millisecond_make_no_change
                a_rest_that_is_over_keeps_its_epoch
                rests_are_forgotten_when_they_ended_before
                an_operators_word_is_never_forgotten
                forgetting_takes_no_version
                keys_are_forgotten_when_nothing_hangs_on_them
            }
            hints {
                the_first_hint_takes_version_one
                a_hint_that_changes_nothing_takes_no_version
                a_higher_epoch_wins_over_a_later_end
                a_higher_round_wins_over_a_later_end
                values_merge_alike_in_any_order
                changes_of_one_call_are_numbered_in_order
                versions_are_contiguous_under_concurrency
                equal_hints_at_once_take_one_version
                hints_come_sorted_by_key
                a_hint_that_is_not_stored_changes_nothing
            }
            identity {
                a_history_keeps_its_name
                two_databases_have_two_histories
                a_ping_changes_nothing
                pings_go_well_beside_other_commits
            }
            late {
                what_may_have_been_counted_is_set_aside
                a_cursor_that_came_late_stays_wary
                a_new_incarnation_counts_as_ever
                nothing_is_late_while_no_cursor_was_forgotten
                skewed_batches_are_told
                a_node_that_is_heard_of_keeps_its_cursor
                what_was_set_aside_is_forgotten_after_its_time
            }
            leases {
                a_free_lease_is_taken_with_epoch_one
                a_renewed_lease_keeps_its_epoch
                a_held_lease_is_refused_to_others
                a_lease_that_ran_out_goes_to_another
                a_late_holder_keeps_the_epoch_while_nobody_came
                a_resigned_lease_is_free_at_once
                resigning_what_is_not_held_does_nothing
                leases_have_nothing_to_do_with_each_other
                one_of_many_takes_a_free_lease
                one_of_many_takes_a_lease_that_ran_out
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
            posts {
                posts_come_back_in_order_as_they_were
                posts_follow_a_number_up_to_the_limit
                an_equal_post_is_another_one
                a_number_of_another_history_has_no_posts
                posts_of_many_tasks_have_contiguous_numbers
                whoever_follows_posts_misses_none
                posts_that_are_forgotten_are_not_skipped
            }
            rates {
                a_rate_is_shared_by_what_is_needed
                a_claim_of_a_rate_that_comes_late_is_not_answered
                who_has_more_than_it_needs_is_recalled
                many_at_once_never_share_more_than_the_limit
                a_providers_word_bounds_a_rate
                a_store_that_learns_answers_no_rates
                a_rate_that_is_no_more_is_not_answered
                limits_are_told_apart
                numbers_of_rates_beyond_the_signed_range_are_kept
                shares_survive_reopening
            }
            requests {
                a_record_is_found_by_its_id
                the_first_record_of_an_id_stays
                records_of_many_tasks_are_all_there
                records_are_forgotten_after_their_time
                the_oldest_records_make_room
            }
            tidy {
                minutes_hours_and_days_agree_whatever_was_tidied
                tidying_again_changes_nothing
                what_comes_after_the_roll_up_counts_too
                minutes_are_forgotten_after_their_time
                hours_are_forgotten_and_days_are_not
                a_long_pause_is_made_up_for_in_several_calls
                tidying_beside_counting_loses_nothing
                nodes_not_heard_of_for_long_are_forgotten
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
            usage_by {
                a_store_without_usage_has_no_sums
                every_counter_is_summed_in_its_place
                periods_come_the_newest_first
                sums_are_told_apart_by_what_is_asked_for
                sums_are_of_the_provider_and_model_asked_for
                the_limit_keeps_the_newest_sums
                periods_that_begin_within_the_range_count_whole
                sums_stay_at_the_limit_of_their_type
            }
            usage_of {
                clients_and_prices_are_told_apart
                sums_are_of_the_client_asked_for
                a_key_comes_back_with_client_and_price
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
