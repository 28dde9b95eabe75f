//! What every store has to do, as tests that run on each engine.
//!
//! An engine's tests say `testkit::store_contract!(name, expression)`, where the expression gives a new, empty
//! [`TestDatabase`]; each case becomes one test in a module of that name. A new case is a function in one of the
//! modules below and a line in the list at the end; the compiler warns of a function that is missing there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are the bodies of tests: they say no by panicking"
)]

mod attachments;
mod audit;
mod credentials;
mod domains;
mod isolation;
mod openers;
mod paging;
mod projects;
mod runs;
pub mod sample;
mod search;
mod threads;

use std::sync::Arc;

use async_trait::async_trait;
use auth::audit::AuditStore;
use auth::ports::CredentialStore;
use engine::ports::{AttachmentStore, Store};

/// One database of the engine under test, gone when this is dropped.
#[async_trait]
pub trait TestDatabase: Send + Sync {
    /// Opens it. Each handle stands for a node of its own, or for the same node after a restart.
    async fn open(&self) -> Stores;
}

/// One open handle.
#[derive(Clone)]
pub struct Stores {
    /// Conversations.
    pub threads: Arc<dyn Store>,
    /// What is known about files.
    pub attachments: Arc<dyn AttachmentStore>,
    /// What lets people in.
    pub credentials: Arc<dyn CredentialStore>,
    /// What happened.
    pub audit: Arc<dyn AuditStore>,
}

/// Declares the cases; `store_contract!` then makes a test of each.
macro_rules! cases {
    ($dollar:tt $($module:ident { $($case:ident,)* })*) => {
        /// The cases by name, for whoever wants to run them all in one process.
        pub const CASES: &[(&str, Case)] = &[
            $($((stringify!($case), |database| Box::pin($module::$case(database)))),*),*
        ];

        /// Makes one test of each case: `store_contract!(module_name, new_test_database)`.
        #[macro_export]
        macro_rules! store_contract {
            ($dollar name:ident, $dollar new:expr) => {
                mod $dollar name {
                    use super::*;

                    $($(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $case() {
                            $dollar crate::store_contract::run(stringify!($case), &$dollar new).await;
                        }
                    )*)*
                }
            };
        }
    };
}

/// A case: takes a new database and panics when the engine does not do what it has to.
pub type Case = for<'a> fn(
    &'a dyn TestDatabase,
) -> std::pin::Pin<Box<dyn std::future::Future<Output = ()> + Send + 'a>>;

/// Runs the case of this name.
///
/// # Panics
/// When the engine does not do what it has to.
pub async fn run(name: &str, database: &dyn TestDatabase) {
    let case = CASES.iter().find(|(case, _)| *case == name);
    let (_, case) = case.expect("a case of the list");
    case(database).await;
}

cases! { $
    threads {
        a_new_thread_is_there_with_its_items,
        a_thread_that_exists_is_not_made_again,
        items_keep_the_order_in_which_they_were_put,
        a_replaced_item_stays_in_its_place,
        truncating_keeps_the_item_and_what_came_before,
        a_change_is_applied_in_the_order_of_its_fields,
        a_title_is_given_only_where_there_is_none,
        a_change_that_fails_changes_nothing,
        removing_an_item_that_is_gone_is_no_error,
        a_new_title_touches_nothing_else_of_the_thread,
        a_title_that_a_person_gave_is_never_lost,
        a_deleted_thread_takes_its_items_along,
        a_long_thread_goes_without_holding_others_up,
        threads_that_nobody_used_go_and_no_others,
        feedback_is_for_items_of_the_thread_only,
        writes_of_many_callers_are_all_kept,
        a_failing_write_takes_no_other_with_it,
        another_node_sees_a_write_at_once,
        a_restart_keeps_everything,
        every_kind_of_text_comes_back_as_it_was,
        bytes_of_messages_are_counted_whatever_adds_or_removes_them,
        a_probe_finds_a_store_that_works,
    }
    runs {
        only_the_newest_epoch_writes,
        of_two_that_begin_at_once_one_run_lives,
        a_thread_knows_its_run_until_it_ends,
        what_a_process_left_behind_is_found_once,
        messages_wait_in_order_and_as_many_as_may,
        nothing_begins_before_an_earlier_message,
        a_message_that_waits_takes_room_once,
        files_wait_with_their_message,
        a_request_is_remembered_for_its_owner,
        a_change_that_is_made_once_more_changes_nothing,
        a_request_is_forgotten_after_a_day,
    }
    isolation {
        a_foreign_thread_is_as_missing_as_one_that_never_was,
        owners_may_use_the_same_ids,
        a_list_shows_only_the_owners_threads,
    }
    paging {
        pages_put_together_are_the_list,
        an_unknown_cursor_is_not_found,
        a_list_of_threads_can_be_read_while_it_is_deleted,
        a_list_of_items_is_read_on_from_one_that_is_gone,
        limits_are_kept_within_bounds,
        a_page_ends_before_it_grows_too_large,
        the_newest_items_are_read_as_far_as_they_fit,
    }
    search {
        threads_are_found_by_their_titles_and_messages,
        words_are_found_in_every_language_and_case,
        only_what_a_person_reads_is_looked_through,
        nobody_finds_what_is_somebody_elses,
        pages_of_matches_put_together_are_all_of_them,
        a_deleted_or_changed_text_is_found_no_more,
    }
    attachments {
        the_bytes_of_an_attachment_come_once,
        a_foreign_attachment_is_as_missing_as_one_that_never_was,
        quotas_count_what_is_announced,
        a_message_holds_its_owners_unused_uploads_only,
        attachments_go_with_their_message,
        unsent_attachments_are_purged,
        unsent_attachments_are_bounded,
    }
    projects {
        a_project_sees_the_threads_of_all_its_users,
        a_project_sees_nothing_of_others,
        pages_between_two_places_are_the_list_between_them,
    }
    domains {
        an_origin_is_registered_once_for_each_environment,
        a_removed_domain_is_gone_on_every_node,
        refusals_are_counted_and_bounded,
    }
    credentials {
        a_secret_is_found_with_its_session,
        the_same_id_or_digest_twice_is_a_conflict,
        sessions_beyond_the_limit_are_displaced_oldest_first,
        a_rotation_replaces_the_secret_once,
        a_rotation_renews_the_session_by_the_login_that_asked,
        of_two_rotations_at_once_one_wins,
        a_rotation_outlives_a_restart,
        an_ended_session_rotates_no_more,
        a_secret_is_replaced_for_its_owner_and_within_its_session,
        a_session_ends_once,
        all_sessions_of_a_user_end_together,
        sessions_of_a_login_end_with_it,
        a_logout_token_works_once_at_all_nodes,
        sessions_are_listed_newest_first,
        expired_sessions_and_secrets_are_purged,
    }
    audit {
        audit_entries_come_back_as_they_were,
        audit_entries_are_found_by_what_they_say,
        audit_pages_put_together_are_the_log,
        old_audit_entries_are_purged_with_their_people,
    }
    openers {
        a_revoked_public_token_ends_what_it_opened,
        a_revoked_server_key_ends_what_it_opened,
        a_session_needs_an_opener_that_is_there,
        no_session_outlives_the_end_of_its_opener,
        visitors_come_back_and_go,
        of_two_replacements_of_a_resume_token_one_counts,
        visitors_who_stay_away_are_purged_with_all_that_is_theirs,
    }
}
