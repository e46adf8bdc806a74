"""A search space: a family of networks and the choices of each of its hyperparameters.

Notation: a space has ``g`` genes. One architecture is a tuple of ``g`` indices into the genes' choices; a
population is an integer array (n, g). Genes of blocks that do not exist are inert; *canonical* genes have
them at index 0, and two architectures are the same network exactly when their canonical genes are equal.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.operators import Layer, Operator
from search.spaces.blueprint import Family, Ints, Layout, Section
from search.spaces.bottleneck import BOTTLENECK
from search.spaces.compilation import CompiledCost
from search.spaces.enumeration import Enumeration, enumerate_operators, open_grid, section_shape
from search.spaces.gene import Gene, IntArray, check_names, spell
from search.spaces.inverted_residual import INVERTED_RESIDUAL
from search.spaces.lowering import lower

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (INVERTED_RESIDUAL, BOTTLENECK)}
)

MAX_TABLE = 4_000_000
"""Most entries that the cost table of one section may have: 32 MB."""


@dataclass(frozen=True)
class SearchSpace:
    """The networks that a family makes of some choices of its genes.

    ``in_channels`` are the image's, ``classes`` the classifier's outputs, and ``reference`` the
    architecture that people compare with, as gene indices. Spaces of equal content have equal ids and the
    same networks; the name and the reference are not content.

    Raises ValueError, naming the gene or the field and saying what to do, for what cannot be a space.
    """

    family: str
    name: str
    genes: tuple[Gene, ...]
    classes: int
    in_channels: int
    layout: Layout
    reference: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_count("classes", self.classes, 2, 100_000)
        _check_count("in_channels", self.in_channels, 1, 1024)
        self._check_genes()
        self._check_tables()
        self.validate(self.reference)

    @classmethod
    def of(
        cls,
        family: str,
        *,
        name: str,
        choices: Mapping[str, Sequence[int]],
        classes: int,
        in_channels: int,
        layout: Layout,
        reference: Mapping[str, int],
    ) -> SearchSpace:
        """The space with these choices per gene name, in any order; the reference takes the nearest choices.

        Raises ValueError as the class does, and for names that the family does not have.
        """
        names = _family(family).gene_names(len(layout.strides))
        check_names(tuple(choices), names)
        check_names(tuple(reference), names)
        genes = tuple(Gene(gene, tuple(choices[gene])) for gene in names)
        nearest = tuple(gene.nearest(reference[gene.name]) for gene in genes)
        return cls(family, name, genes, classes, in_channels, layout, nearest)

    def _check_genes(self) -> None:
        family = _family(self.family)
        expected = family.gene_names(len(self.layout.strides))
        names = tuple(gene.name for gene in self.genes)
        check_names(names, expected)
        if names != expected:
            raise ValueError(f"genes: must be in the order {', '.join(expected)}")
        for gene in self.genes:
            if gene.part.startswith("stage") and gene.name.endswith(".channels"):
                self._check_channels(gene, family.channel_step)

    def _check_channels(self, gene: Gene, step: int) -> None:
        for value in gene.choices:
            if value % step:
                raise ValueError(
                    f"{gene.name}: {value} is not a multiple of {step}, which a {self.family} needs; "
                    f"choose for example {math.ceil(value / step) * step}"
                )

    def _check_tables(self) -> None:
        for section in self._network(open_grid(self.genes)):
            entries = math.prod(section_shape(section, len(self.genes)))
            if entries > MAX_TABLE:
                raise ValueError(
                    f"{section.name or 'stem or head'}: its choices combine to {entries:,} table entries, "
                    f"more than {MAX_TABLE:,}; give it, the part before it or the resolution fewer choices"
                )

    def _network(self, values: Mapping[str, Ints]) -> Iterator[Section]:
        return FAMILIES[self.family].network(self.layout, values, self.in_channels, self.classes)

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the content: equal content, equal id."""
        content = {key: value for key, value in self.to_json().items() if key not in ("name", "reference")}
        return hashlib.sha256(
            json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()[:16]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of choices of each gene."""
        return tuple(len(gene.choices) for gene in self.genes)

    @property
    def size(self) -> int:
        """Number of gene combinations, as an exact integer."""
        return math.prod(self.shape)

    def sample(self, rng: np.random.Generator, n: int) -> IntArray:
        """(n, g) canonical individuals, each gene drawn uniformly from its choices."""
        return self.canonical(rng.integers(0, self.shape, size=(n, len(self.shape)), dtype=np.int64))

    def canonical(self, population: IntArray) -> IntArray:
        """(n, g) copy with inert genes at index 0."""
        result = np.array(population, dtype=np.int64)
        for gene, gate, is_one in self._inert:
            result[is_one[result[:, gate]], gene] = 0
        return result

    @cached_property
    def _inert(self) -> tuple[tuple[int, int, npt.NDArray[np.bool_]], ...]:
        """(gene, the gene that can make it inert, per choice of that: whether it does)."""
        place = {gene.name: index for index, gene in enumerate(self.genes)}
        return tuple(
            (index, place[gene.inert_when_one], np.array(self.genes[place[gene.inert_when_one]].choices) == 1)
            for index, gene in enumerate(self.genes)
            if gene.inert_when_one
        )

    def validate(self, genes: Sequence[int]) -> tuple[int, ...]:
        """The genes of one individual as a tuple of int; ValueError names the gene and its indices."""
        if len(genes) != len(self.genes):
            raise ValueError(f"expected {len(self.genes)} genes, one per hyperparameter; got {len(genes)}")
        for gene, index in zip(self.genes, genes, strict=True):
            if isinstance(index, bool) or not isinstance(index, int | np.integer):
                raise ValueError(f"{gene.name}: index {index!r} is not a whole number")
            if not 0 <= index < len(gene.choices):
                raise ValueError(
                    f"{gene.name}: index {index} is outside 0 to {len(gene.choices) - 1} "
                    f"(the choices are {spell(gene.choices)})"
                )
        return tuple(int(index) for index in genes)

    def values(self, genes: Sequence[int]) -> dict[str, int]:
        """Gene names to the values chosen: {"stage2.expansion": 6, ...}."""
        return {gene.name: gene.choices[i] for gene, i in zip(self.genes, self.validate(genes), strict=True)}

    def encode(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """Genes with these values, the reverse of ``values``; ValueError names the gene and its choices."""
        check_names(tuple(values), tuple(gene.name for gene in self.genes))
        return tuple(gene.index(values[gene.name]) for gene in self.genes)

    def lower(self, genes: Sequence[int]) -> tuple[Layer, ...]:
        """The network's layers in topological order; the last is the classifier."""
        return lower(self._network(self.values(genes)))

    def operators(self) -> frozenset[Operator]:
        """Every distinct operator of the space, exactly: the union over all its architectures."""
        return frozenset(_enumerate(self).operators)

    def compile(self, cost: Callable[[Operator], float]) -> CompiledCost:
        """The exact cost of any individual as table look-ups.

        ``cost`` must add up over operators, and is called once per distinct operator; NaN means unknown.
        """
        return CompiledCost.build(_enumerate(self), self.shape, cost)

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        """(m, g) canonical, distinct individuals, each this one with one gene changed; without itself."""
        start = self.canonical(np.array([self.validate(genes)]))[0]
        changed = [(gene, index) for gene, length in enumerate(self.shape) for index in range(length)]
        result = np.repeat(start[None, :], len(changed), axis=0)
        which, index = np.array(changed).T
        result[np.arange(len(changed)), which] = index
        distinct = np.unique(self.canonical(result), axis=0)
        others: IntArray = distinct[(distinct != start).any(axis=1)]
        return others

    def to_json(self) -> dict[str, object]:
        """The space as a JSON-ready dict, choices and reference by gene name."""
        return {
            "family": self.family,
            "name": self.name,
            "classes": self.classes,
            "in_channels": self.in_channels,
            "layout": asdict(self.layout) | {"strides": list(self.layout.strides)},
            "genes": {gene.name: list(gene.choices) for gene in self.genes},
            "reference": self.values(self.reference),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchSpace:
        """The space that ``to_json`` wrote; ValueError says what is missing or wrong."""
        try:
            layout = data["layout"]
            return cls.of(
                data["family"],
                name=data["name"],
                choices=data["genes"],
                classes=data["classes"],
                in_channels=data["in_channels"],
                layout=Layout(**(layout | {"strides": tuple(layout["strides"])})),
                reference=data["reference"],
            )
        except KeyError as error:
            raise ValueError(f"this is no stored search space: the field {error} is missing") from error
        except TypeError as error:
            raise ValueError(f"this is no stored search space: {error}") from error


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise ValueError(f'family: "{name}" is unknown; known are {", ".join(FAMILIES)}')
    return FAMILIES[name]


def _check_count(field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{field}: {value!r} is not a whole number from {low} to {high}")


@lru_cache(maxsize=16)
def _enumerate(space: SearchSpace) -> Enumeration:
    """Shared by equal spaces, so that a space read from the database again costs nothing."""
    return enumerate_operators(space._network(open_grid(space.genes)), axes=len(space.genes))
