"""An invented atlas: towns, rivers, people and trades, one fact a sentence; made from a seed.

Nothing in it is true, so that no model can know an answer without reading.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

STARTS = ("Or", "Hal", "Mer", "Tas", "Vel", "Bran", "Cor", "Dun", "Esk", "Fal", "Gris", "Ilm")
ENDS = ("vane", "den", "wick", "mouth", "holm", "stead", "ford", "by")
RIVERS = ("Tell", "Sarn", "Ouse", "Limm", "Brae", "Nith", "Wend", "Arrow")
GIVEN = (
    "Mira",
    "Jon",
    "Lena",
    "Piet",
    "Ruth",
    "Sven",
    "Tova",
    "Udo",
    "Vera",
    "Wim",
    "Yara",
    "Ada",
)
FAMILY = ("Castell", "Ferrow", "Hollis", "Brandt", "Kerr", "Lund", "Marsh", "Nolan")
TRADES = ("baker", "carpenter", "doctor", "farmer", "painter", "sailor", "teacher", "weaver")


@dataclass(frozen=True, slots=True)
class Town:
    """A town.

    Args:
        name: Its name.
        river: The river it lies on.
        founded: The year.
    """

    name: str
    river: str
    founded: int

    def sentences(self) -> list[str]:
        """Return its facts."""
        return [
            f"{self.name} lies on the river {self.river}.",
            f"{self.name} was founded in {self.founded}.",
        ]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who lives in a town.

    Args:
        name: Given name and family name.
        town: Where they were born.
        trade: What they do.
    """

    name: str
    town: Town
    trade: str

    def sentences(self) -> list[str]:
        """Return the facts."""
        return [f"{self.name} was born in {self.town.name}.", f"{self.name} is a {self.trade}."]


def draw_people(seed: int, count: int, towns: int = 30) -> list[Person]:
    """Return people with different names, each born in one of the towns.

    Args:
        seed: Decides everything.
        count: How many people, at most 96.
        towns: How many towns, at most 96.
    """
    rng = random.Random(f"places/{seed}")
    names = [f"{start}{end}" for start in STARTS for end in ENDS]
    places = [
        Town(name, rng.choice(RIVERS), rng.randint(900, 1899)) for name in rng.sample(names, towns)
    ]
    people = [f"{given} {family}" for given in GIVEN for family in FAMILY]
    return [
        Person(name, rng.choice(places), rng.choice(TRADES)) for name in rng.sample(people, count)
    ]


def write_passages(people: Sequence[Person]) -> list[str]:
    """Return a passage for each person and each of their towns, sorted."""
    towns = {person.town.name: person.town for person in people}
    described = [each.sentences() for each in people]
    described += [each.sentences() for each in towns.values()]
    return sorted(" ".join(sentences) for sentences in described)
