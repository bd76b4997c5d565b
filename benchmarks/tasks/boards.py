"""Small boards: read a position, and say what the rules make of it.

Follows: LLM CHESS (Saplin et al., 2025) in asking whether a model can act within the rules of a
game. Differs: no chess and no opponent; positions of noughts and crosses, of a sliding puzzle and
of a robot on a grid, each with one right answer that code has worked out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import langprog as lp
from benchmarks.tasks.generated import Task

LINES = (
    *((row, row + 1, row + 2) for row in (0, 3, 6)),
    *((column, column + 3, column + 6) for column in range(3)),
    (0, 4, 8),
    (2, 4, 6),
)
MOVES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
)
Drawn = tuple[str, str, str]


def _show(cells: list[str]) -> str:
    return "\n".join(" ".join(cells[start : start + 3]) for start in (0, 3, 6))


def noughts_and_crosses(rng: random.Random) -> Drawn:
    """Return a position, the question who has won, and the answer: x, o or nobody."""
    marks = ["x"] * rng.randint(3, 5)
    marks += ["o"] * (len(marks) - rng.randint(0, 1))
    cells = marks + ["."] * (9 - len(marks))
    rng.shuffle(cells)
    winners = {cells[a] for a, b, c in LINES if cells[a] == cells[b] == cells[c] != "."}
    if len(winners) > 1:
        return noughts_and_crosses(rng)
    question = "Who has three in a row, column or diagonal: x, o or nobody?"
    return _show(cells), question, next(iter(winners), "nobody")


def sliding_puzzle(rng: random.Random) -> Drawn:
    """Return a position, a few moves of the empty place, and the number in the middle."""
    cells = [*"12345678", "_"]
    rng.shuffle(cells)
    shown, moves, place = _show(cells), [], cells.index("_")
    for _ in range(3):
        name, (down, right) = rng.choice(list(MOVES.items()))
        row, column = place // 3 + down, place % 3 + right
        if 0 <= row < 3 and 0 <= column < 3:
            other = 3 * row + column
            cells[place], cells[other] = cells[other], cells[place]
            place = other
            moves.append(name)
    said = ", then ".join(moves) or "not at all"
    question = f"The empty place _ moves {said}. What is in the middle of the board?"
    return shown, question, cells[4]


def robot(rng: random.Random) -> Drawn:
    """Return a grid with a robot and walls, a path, and where it ends."""
    cells = ["."] * 9
    start, *walls = rng.sample(range(9), 3)
    cells[start] = "R"
    for wall in walls:
        cells[wall] = "#"
    row, column = divmod(start, 3)
    path = rng.choices(list(MOVES), k=3)
    for name in path:
        down, right = MOVES[name]
        new = (row + down, column + right)
        free = 0 <= new[0] < 3 and 0 <= new[1] < 3 and cells[3 * new[0] + new[1]] != "#"
        row, column = new if free else (row, column)
    question = (
        f"The robot R goes {', then '.join(path)}; before a wall # or the edge it stays. In which "
        "row and column does it end, counted from 1, such as 2 3?"
    )
    return _show(cells), question, f"{row + 1} {column + 1}"


GAMES: Mapping[str, Callable[[random.Random], Drawn]] = MappingProxyType(
    {
        "noughts and crosses": noughts_and_crosses,
        "sliding puzzle": sliding_puzzle,
        "robot": robot,
    }
)


def make_boards(name: str, seed: int, *, known: int, test: int) -> Task:
    """Return a game's task.

    Args:
        name: One of ``GAMES``.
        seed: Decides the rows.
        known: Rows for training, validation and certificate together.
        test: Rows that no optimizer sees.
    """
    rng = random.Random(f"boards/{name}/{seed}")
    drawn: dict[tuple[str, str], str] = {}
    while len(drawn) < known + test:
        board, question, answer = GAMES[name](rng)
        drawn[board, question] = answer
    rows = tuple(
        lp.Example(board=board, question=question, answer=answer)
        for (board, question), answer in drawn.items()
    )
    program = lp.Predict(
        "board, question -> answer", instruction="Answer the question about the board."
    )
    return Task(name, program, rows[:known], rows[known:], ("answer",))
