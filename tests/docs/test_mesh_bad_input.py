"""Which test proves what a node does with each kind of bad input from the mesh, and of bad luck: the tests are there."""

import ast

import pytest

from tests.docs.generated import ROOT

PROOFS = {
    "forged, replayed, oversized and foreign pages": (
        "contracts/test_mesh_fuzz.py::test_nothing_forged_is_taken_in_nothing_crashes_and_memory_stays",
        "contracts/test_mesh_service.py::test_replayed_forged_and_foreign_pages_from_a_member_are_all_refused",
        "contracts/test_mesh_transport.py::test_a_frame_above_the_limit_ends_the_connection",
    ),
    "a downgrade": (
        "contracts/test_mesh_transport.py::test_the_channel_is_tls_1_3_and_nothing_older",
        "contracts/test_mesh_service.py::test_an_older_version_is_named_in_a_warning",
    ),
    "pages of an author that was removed": (
        "contracts/test_mesh_starts.py::test_a_page_of_a_node_that_is_no_member_for_a_while_is_merged_later",
        "contracts/test_shared_notices.py::test_the_notices_of_a_node_that_was_removed_are_gone",
    ),
    "two community records of one number": (
        "unit/mesh/test_community_state.py::test_of_competing_versions_more_votes_hold_then_one_that_removes_then_the_lower_hash",
        "unit/mesh/test_community_state.py::test_the_order_of_arrival_does_not_count",
    ),
    "usage that cannot be true": (
        "contracts/test_link_usage.py::test_a_node_that_says_much_more_than_was_sent_to_it_is_shown",
        "contracts/test_link_usage.py::test_a_node_that_hides_what_its_people_used_is_shown_as_something_to_ask_about",
        "unit/node/accounting/test_link_days.py::test_a_node_that_says_at_most_what_came_is_never_named",
        "kernel/test_neighbour_counters.py::test_each_byte_from_and_to_a_neighbour_is_counted_and_nobody_elses",
    ),
    "an invite that is used too often": (
        "unit/mesh/test_community_state.py::test_the_village_is_as_its_admins_said",
        "contracts/test_mesh_lobby.py::test_a_second_node_and_a_closed_invite_are_refused_with_the_reason",
    ),
    "half-open connections": (
        "kernel/test_two_routers_find_each_other.py"
        "::test_a_half_open_connection_ends_and_its_node_is_trusted_again_when_packets_pass",
        "contracts/test_mesh_transport.py::test_a_silent_connection_after_the_handshake_is_closed",
    ),
    "slow readers": (
        "contracts/test_mesh_service.py::test_a_member_that_never_reads_costs_little_and_others_go_on",
        "contracts/test_mesh_service.py::test_a_member_that_stopped_reading_is_disconnected_in_time",
        "contracts/test_mesh_transport.py::test_a_slow_handshake_is_closed",
    ),
    "a thousand services that are no nodes": (
        "kernel/test_many_links.py::test_a_member_is_found_while_a_device_announces_a_thousand_invented_nodes",
        "unit/mesh/test_mdns_filter.py::test_packets_that_name_no_member_are_read_up_to_a_limit_and_again_later",
    ),
    "a copied card": (
        "contracts/test_mesh_copied_disk.py::test_a_node_met_under_its_own_key_is_reported_on_both_and_both_go_on",
        "contracts/test_mesh_copied_disk.py::test_two_copies_do_not_answer_each_others_incarnations_with_new_ones",
    ),
    "an old backup": (
        "contracts/test_mesh_incarnations.py"
        "::test_a_restored_ledger_begins_another_incarnation_when_a_neighbour_knows_more",
        "contracts/test_shared_registry.py"
        "::test_a_restored_backup_takes_the_later_records_and_says_nothing_old",
    ),
    "a lost database": (
        "contracts/test_mesh_stored_pages.py::test_a_database_that_is_lost_while_the_node_runs",
        "contracts/test_shared_notices.py"
        "::test_a_node_that_lost_its_database_withdraws_what_it_does_not_know",
    ),
    "a full disk": (
        "contracts/test_mesh_service.py::test_a_full_disk_stops_nothing_and_is_reported",
        "contracts/test_mesh_lobby.py::test_on_a_full_disk_nobody_is_let_in",
    ),
    "a kill between two writes": (
        "contracts/test_killed_between_writes.py"
        "::test_what_was_told_is_on_the_disk_whenever_a_node_is_killed",
    ),
    "the clock in 1970 and in 2099": (
        "contracts/test_mesh_transport.py::test_a_clock_in_1970_or_2099_keeps_nobody_out",
        "unit/mesh/test_notice_pages.py::test_a_notice_that_was_not_said_again_for_a_month_is_not_shown",
        "unit/mesh/test_notice_pages.py"
        "::test_a_page_without_a_day_ends_some_days_after_it_was_read_by_a_node_that_knows_the_date",
    ),
    "a certificate that makes the library raise": (
        "contracts/test_node_certificates.py::test_no_single_changed_byte_of_a_certificate_raises",
        "contracts/test_mesh_transport.py::test_odd_and_damaged_certificates_end_one_connection_alone",
    ),
}


@pytest.mark.parametrize("proof", [each for proofs in PROOFS.values() for each in proofs])
def test_the_proof_is_there(proof: str) -> None:
    path, _, name = proof.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text())
    assert name in {
        each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }
