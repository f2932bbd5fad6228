"""Where the settings of a worker come from, and which of them are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from poststack_tasks import Limits, TaskSettings, configure, configure_defaults, current_settings


def factory() -> Any:
    raise NotImplementedError


def test_without_any_settings_there_are_defaults() -> None:
    assert current_settings() == TaskSettings()


def test_what_was_configured_goes_before_the_queues_settings_and_those_before_defaults() -> None:
    configure_defaults(timeout=1, deadline=2, largest_job=3)
    conf = {"poststack_timeout": 4, "poststack_deadline": 5, "other_setting": 6}

    assert current_settings(conf).largest_job == 3
    assert (current_settings(conf).timeout, current_settings(conf).deadline) == (4, 5)
    configure(timeout=7)
    assert (current_settings(conf).timeout, current_settings(conf).deadline) == (7, 5)
    configure(timeout=None)
    assert current_settings(conf).timeout == 4
    assert current_settings().timeout == 1


def test_settings_of_the_queue_may_know_of_no_default() -> None:
    class Conf(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            raise KeyError(name)

    assert current_settings(Conf(poststack_api_key="sk_test_1")).api_key == "sk_test_1"


def test_whoever_names_a_key_does_not_get_somebody_elses_client() -> None:
    configure_defaults(client=factory)

    assert current_settings().client is factory
    assert current_settings({"poststack_api_key": "sk_test_1"}).client is None
    configure(api_key="sk_test_2")
    assert current_settings().client is None
    configure(client=factory)
    assert current_settings().client is factory


def test_limits_may_be_a_dictionary() -> None:
    assert current_settings({"poststack_limits": {"horizon": 60}}).limits == Limits(horizon=60)
    with pytest.raises(ValueError, match="Unknown limits: horizons"):
        current_settings({"poststack_limits": {"horizons": 60}})


@pytest.mark.parametrize("name", ["api-key", "time_out", "max_retries"])
def test_a_setting_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        configure(**{name: "sk_test_secret"})

    assert "timeout" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", 42), ("base_url", b"https://x"), ("timeout", "5"), ("timeout", 0), ("timeout", -1),
        ("timeout", math.nan), ("timeout", True), ("deadline", math.inf), ("limits", 42), ("largest_job", 1.5),
        ("largest_job", 0), ("keep_given_up", "no"), ("keep_given_up", 1), ("given_up_queue", 7),
        ("given_up_queue", " "),
        ("client", "PostStack"), ("event_store", "redis://"), ("event_store", 42),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told_where_it_is_read(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        current_settings({f"poststack_{name}": value})


@pytest.mark.parametrize(
    "limits",
    [
        {"first_delay": -1}, {"longest_delay": math.inf}, {"longest_delay": math.nan}, {"horizon": "60"},
        {"expires": True}, {"longest_wait": None},
    ],
    ids=str,
)  # fmt: skip
def test_limits_are_seconds(limits: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        Limits(**limits)


def test_no_repr_shows_a_key() -> None:
    assert "secret" not in repr(TaskSettings(api_key="sk_test_secret"))
