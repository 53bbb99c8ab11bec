"""Tasks by the names on the way to them: what stays the same when tasks are inserted, removed or moved."""

from collections.abc import Mapping

from flows_dsl.compiled import CompiledFlow, CompiledTask

type Address = tuple[str, ...]
"""Names of tasks from the outside in, each but the first with the list that it stands in: ``("a", "try", "b")``."""


class Addresses:
    """The addresses of a flow's tasks and lists, and the paths that they lead to."""

    def __init__(self, flow: CompiledFlow) -> None:
        self.tasks: dict[Address, CompiledTask] = {}
        self.lists: dict[Address, str] = {}
        self._of_task: dict[str, Address] = {}
        self._of_list: dict[str, Address] = {}
        for path in sorted(flow.lists, key=len):
            list_address = self._list_address(path)
            self.lists[list_address], self._of_list[path] = path, list_address
            for task in flow.lists[path].tasks:
                address = (*list_address, task.name)
                self.tasks[address], self._of_task[task.path] = task, address

    def _list_address(self, path: str) -> Address:
        parts = path.split("/")
        for end in range(len(parts) - 1, 1, -1):
            around = "/".join(parts[:end])
            if around in self._of_task:
                return (*self._of_task[around], "/".join(parts[end:]))
        return ("/".join(parts[1:]),)

    def of_task(self, path: str) -> Address | None:
        """Return the address of the task at *path*, if there is one."""
        return self._of_task.get(path)

    def of_list(self, path: str) -> Address | None:
        """Return the address of the list at *path*, if there is one."""
        return self._of_list.get(path)


def shown(address: Address) -> str:
    """Return an address for people: the names of the tasks alone."""
    return "/".join(address[1::2])


def translated[V](values: Mapping[str, V], old: Addresses, new: Addresses) -> dict[str, V]:
    """
    Return *values*, which are known by paths of tasks, under the new paths; without those whose task is gone.

    Behind a path may stand the rounds of the loops around: ``/do/2/do/0[3]``.
    """
    found: dict[str, V] = {}
    for key, value in values.items():
        path, bracket, rounds = key.partition("[")
        if path == "":
            found[key] = value
        elif (address := old.of_task(path)) is not None and address in new.tasks:
            found[f"{new.tasks[address].path}{bracket}{rounds}"] = value
    return found
