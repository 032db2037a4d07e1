"""What earlier calls left, as long as state says nothing newer."""

from tfdrift_core.drift.memory import Memory, Overlay, Remembered

KEY = ("prod.tfstate", "aws_sqs_queue.orders")


def test_what_nobody_touched_is_as_state_says() -> None:
    state = {"delay": 0}
    assert Memory().recall(KEY, state) == Remembered(Overlay(state, state, state))


def test_what_was_left_is_found_again_while_state_is_the_same() -> None:
    memory, state = Memory(), {"delay": 0}
    memory.remember(KEY, Remembered(Overlay(state, state, {"delay": 5})))
    assert memory.recall(KEY, dict(state)).overlay.current == {"delay": 5}
    assert memory.recall(KEY, {"delay": 7}).overlay.current == {"delay": 7}
    assert memory.recall(("dev.tfstate", KEY[1]), state).overlay.current == state


def test_a_resource_that_is_gone_is_remembered_as_gone() -> None:
    memory, state = Memory(), {"delay": 0}
    memory.remember(KEY, Remembered(Overlay(state, state, None)))
    assert memory.recall(KEY, state).overlay.current is None


def test_restore_forgets_what_came_later() -> None:
    memory, state = Memory(), {"delay": 0}
    memory.remember(KEY, Remembered(Overlay(state, state, {"delay": 5})))
    before = memory.snapshot()
    memory.remember(KEY, Remembered(Overlay(state, state, {"delay": 9})))
    memory.restore(before)
    assert memory.recall(KEY, state).overlay.current == {"delay": 5}


def test_what_was_made_outside_terraform_is_found_by_any_text_of_a_request() -> None:
    memory = Memory()
    memory.remember_created("sg-1", {"groupName": "shadow"})
    assert memory.created({"group": "sg-1", "n": 3}) == {"groupName": "shadow"}
    assert memory.created({"group": "sg-2", "list": ["sg-1"]}) == {}
    for number in range(1000):
        memory.remember_created(f"sg-new-{number}", {})
    assert memory.created({"group": "sg-1"}) == {}
