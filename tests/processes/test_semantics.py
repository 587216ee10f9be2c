"""Where supervision keeps to what supervisord and circus document, and where it differs on purpose.

Each row of `TABLE` names what theirs does (http://supervisord.org/configuration.html, http://supervisord.org/subprocess.html,
https://circus.readthedocs.io/en/latest/for-ops/configuration/), what ours does, why, and the test that proves ours.
"""

from __future__ import annotations

import importlib

import msgspec
import pytest


class Row(msgspec.Struct, frozen=True):
    topic: str
    supervisord: str
    circus: str
    ours: str
    why: str
    proof: str
    """module:test, in tests."""


TABLE = (
    Row(
        "when a start has succeeded",
        "alive for startsecs (1 s)",
        "alive after the spawn; warmup_delay between processes",
        "it has said that it is ready",
        "a worker that lives but is not connected yet must not be shown as running",
        "processes.test_unhealthy:test_a_child_that_never_gets_ready_is_not_waited_for",
    ),
    Row(
        "an exit soon after the start",
        "an exit within startsecs is a failed start, whatever the code",
        "respawned",
        "the same within start_seconds (3 s) after it was ready",
        "success in no time is no work done",
        "processes.test_supervisor:test_success_before_it_was_stable_is_a_failure",
    ),
    Row(
        "which exits are expected",
        "exitcodes (0); autorestart=unexpected",
        "respawn=true restarts after any",
        "0 is EXITED; restart = unexpected, always or never",
        "the default of supervisord",
        "processes.test_supervisor:test_success_after_it_was_stable_is_the_end",
    ),
    Row(
        "how often it is started again",
        "startretries (3) for starts only; exits from RUNNING are restarted for ever",
        "max_retry (5); max_retry_in and flapping by a plugin",
        "more than 5 unexpected ends in 60 s are FATAL, from RUNNING counted too",
        "a bot that dies each minute must not trade for ever, and a person must see it",
        "processes.test_supervisor:test_a_crash_loop_ends_in_fatal_and_a_person_can_start_it_again",
    ),
    Row(
        "the wait between two starts",
        "one second more each time, without jitter",
        "none, or retry_in by the flapping plugin",
        "0.5 s doubled up to 60 s, 20 % jitter, anew after 60 s of health",
        "the usual way to spare what it connects to",
        "processes.test_backoff:test_the_wait_doubles_up_to_the_longest",
    ),
    Row(
        "an exit that no restart mends",
        "not known; retried",
        "not known; retried",
        "64 to 78 (sysexits.h) are FATAL at once",
        "refused keys tried again and again lock the account",
        "processes.test_supervisor:test_a_configuration_error_is_fatal_at_once_in_the_childs_own_words",
    ),
    Row(
        "a process that hangs",
        "not noticed",
        "by a watchdog plugin over UDP",
        "no heartbeat for 10 s: stacks, then SIGKILL",
        "a silent feed is the worst failure there is here",
        "processes.test_unhealthy:test_a_child_whose_loop_is_stuck_shows_where_before_it_is_killed",
    ),
    Row(
        "alive without progress",
        "not noticed",
        "not noticed",
        "no progress while the child expects some: as a hang",
        "a pulse is no proof of work",
        "processes.test_unhealthy:test_a_child_that_works_but_of_which_nothing_comes_is_replaced",
    ),
    Row(
        "how it is stopped",
        "stopsignal (TERM), after stopwaitsecs (10) SIGKILL",
        "stop_signal (TERM), after graceful_timeout (30) SIGKILL",
        "the end of stdin, TERM in the middle of stop_wait (10 s), SIGKILL at its end",
        "stdin also works when the parent is dead and on every system",
        "processes.test_supervisor:test_a_child_that_ignores_every_request_is_killed",
    ),
    Row(
        "killed and still there",
        "KILLING for ever, logged again and again",
        "waits",
        "STUCK after 5 s, with an alert; nobody waits",
        "closing the window must not take for ever",
        "processes.test_supervisor:test_one_that_cannot_be_killed_is_stuck_until_the_system_lets_it_go",
    ),
    Row(
        "what the process has started",
        "left alone, unless stopasgroup and killasgroup",
        "left alone, unless stop_children",
        "its whole group is killed when it has ended, whatever the end",
        "a grandchild of yesterday must not hold a port or trade",
        "processes.test_orphans:test_what_a_child_started_goes_with_it",
    ),
    Row(
        "when the supervisor is killed",
        "children live on",
        "children live on",
        "children die with it; the next start ends what is left, by mark and never by pid alone",
        "two engines with the same bots would double orders",
        "faults.test_children:test_twenty_parents_are_killed_and_leave_no_worker_behind",
    ),
    Row(
        "order of start and stop",
        "priority, without waiting for the one before",
        "priority, with warmup_delay",
        "depends_on: each when those it needs are running; stopped in reverse",
        "the hub must be there before anyone speaks",
        "processes.test_commands:test_all_are_started_after_what_they_need_and_stopped_before_it",
    ),
    Row(
        "restart of a group",
        "all are stopped, then all are started",
        "all at once, or one after another if asked",
        "one after another; ends at the first that does not come back",
        "what still runs with the old settings is better than nothing",
        "processes.test_commands:test_a_rolling_restart_ends_at_the_first_that_does_not_come_back",
    ),
    Row(
        "limits of memory and CPU",
        "memory by the add-on superlance (memmon)",
        "max_age only; memory by the resource_watcher plugin",
        "a warning at 80 %, then stop and start, counted apart from crashes",
        "a leak is better ended at a moment of our choice",
        "processes.test_unhealthy:test_over_its_memory_limit_it_is_recycled_and_that_is_no_crash",
    ),
    Row(
        "a flood of output",
        "written to the disk without a limit of rate",
        "written as it comes",
        "500 lines a second are kept, the rest is counted; heartbeats have a pipe of their own",
        "the window shares the loop that reads it",
        "processes.test_supervisor:test_twenty_megabytes_of_empty_lines_leave_the_heartbeat_audible",
    ),
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.topic)
def test_each_difference_is_proved_by_a_test_that_exists(row: Row) -> None:
    module, _, name = row.proof.partition(":")
    assert callable(getattr(importlib.import_module(f"tests.{module}"), name))
    assert row.why
