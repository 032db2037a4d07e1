"""Work that may hang on somebody else's server, in threads that nobody has to wait for.

The threads of ``concurrent.futures`` keep the process from ending until the last of them has; these do not.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

_POLL: Final = 0.05

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(work: Callable[[_Item], _Result], items: Iterable[_Item], most: int, name: str) -> Sequence[_Result]:
    """What ``work`` makes of every item, in their order, done by at most so many threads; raises what it raises."""
    left = list(enumerate(items))[::-1]
    results: dict[int, _Result] = {}
    errors: list[BaseException] = []
    size = len(left)

    def run() -> None:
        while not errors:
            try:
                number, item = left.pop()
            except IndexError:
                return
            try:
                results[number] = work(item)
            except BaseException as error:  # noqa: BLE001 - raised where it can be handled
                errors.append(error)

    # With one item or none there is nobody to share the work with.
    threads = [threading.Thread(target=run, name=name, daemon=True) for _ in range(min(most, size) if size > 1 else 0)]
    for thread in threads:
        thread.start()
    if not threads:
        run()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(size)]


def unless(stopped: Callable[[], bool], work: Callable[[], _Result], name: str) -> _Result | None:
    """What ``work`` gives, or ``None`` as soon as ``stopped``: the thread is then left to end by itself."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where it can be handled
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    while thread.is_alive() and not stopped():
        thread.join(_POLL)
    if errors:
        raise errors[0]
    return results[0] if results else None
