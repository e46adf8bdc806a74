"""Architectures with measured values from CSV."""

from __future__ import annotations

import contextlib
import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.spaces import ACCURACY_UNITS, Records, RecordsError, SearchSpace, preset, read_records

SPACE = preset("chamnet-mobile-small", classes=10, in_channels=1)
NAMES = [gene.name for gene in SPACE.genes]


def read(text: str, *, space: SearchSpace = SPACE, most_rows: int = 5000) -> Records:
    return read_records(
        text.splitlines(), space, ACCURACY_UNITS, lowest=-1e-9, highest=1.0, most_rows=most_rows
    )


def lines(population: np.ndarray, values: list[str], column: str = "accuracy") -> list[str]:
    rows = [[*(str(value) for value in SPACE.values(row).values())] for row in population.tolist()]
    return [
        ",".join([*NAMES, column]),
        *(",".join([*row, value]) for row, value in zip(rows, values, strict=True)),
    ]


@given(seed=st.integers(0, 2**32), count=st.integers(1, 20))
def test_what_is_written_is_read_back(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    population = np.unique(SPACE.sample(rng, count), axis=0)
    accuracies = rng.random(len(population))
    found = read("\n".join(lines(population, [repr(float(value)) for value in accuracies])))
    assert np.array_equal(found.genes, population)
    assert np.array_equal(found.values, accuracies)
    assert (found.repeated, found.untrained) == (0, 0)


def test_per_cent_becomes_a_share_and_repeats_are_averaged_and_failures_left_out() -> None:
    population = SPACE.sample(np.random.default_rng(0), 2)
    first, second = lines(population, ["", ""])[1:]
    text = "\n".join(
        [
            ",".join([*NAMES, "accuracy_percent", "status", "note"]),
            f"{first}90,trained,by hand",
            f"{first}92,trained,",
            f"{second}80,trained,",
            f"{second},failed,diverged",
            f"{second},waiting,",
        ]
    )
    found = read(text)
    assert np.allclose(found.values, [0.91, 0.8])
    assert (found.repeated, found.untrained) == (1, 2)


def test_networks_that_differ_in_inert_genes_alone_are_one() -> None:
    space = preset("chamnet-res-small", classes=10, in_channels=1)
    place = next(i for i, gene in enumerate(space.genes) if gene.inert_when_one and len(gene.choices) > 1)
    gate = [gene.name for gene in space.genes].index(str(space.genes[place].inert_when_one))
    row = list(space.reference)
    row[gate] = space.genes[gate].index(1)
    rows = []
    for choice in (0, 1):
        row[place] = choice
        rows.append(",".join([*(str(value) for value in space.values(row).values()), f"0.{5 + choice}"]))
    found = read(
        "\n".join([",".join([*(gene.name for gene in space.genes), "accuracy"]), *rows]), space=space
    )
    assert found.values.tolist() == [0.55]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nan", "Line 2: accuracy is nan; it must be above"),
        ("inf", "Line 2: accuracy is inf"),
        ("-0.5", "Line 2: accuracy is -0.5"),
        ("1.5", "at most 1."),
        ("high", "which is no number"),
        ("", "which is no number"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(value: str, said: str) -> None:
    with pytest.raises(RecordsError) as caught:
        read("\n".join(lines(SPACE.sample(np.random.default_rng(0), 1), [value])))
    assert said in caught.value.problems[0]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "The header needs one column for the value and its unit: accuracy or accuracy_percent"),
        (",".join([*NAMES, "accuracy", "accuracy_percent"]), "it has accuracy and accuracy_percent"),
        (",".join([*NAMES[1:], "accuracy"]), f"needs the columns {NAMES[0]}"),
        (",".join([*NAMES, "stage9.kernel", "accuracy"]), "has no hyperparameters stage9.kernel"),
        (",".join([*NAMES, NAMES[0], "accuracy"]), f"names {NAMES[0]} more than once"),
        (",".join([*NAMES, "accuracy"]), "The file has no rows with a value."),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: str, said: str) -> None:
    with pytest.raises(RecordsError) as caught:
        read(header)
    assert said in " ".join(caught.value.problems)


def test_a_choice_the_gene_does_not_have_and_a_short_row_are_named() -> None:
    text = lines(SPACE.sample(np.random.default_rng(0), 2), ["0.5", "0.6"])
    text[1] = "7" + text[1][text[1].index(",") :]
    text[2] = text[2].rpartition(",")[0]
    with pytest.raises(RecordsError) as caught:
        read("\n".join(text))
    assert "Line 2: resolution is “7”, which is not one of its choices" in caught.value.problems[0]
    assert "Line 3:" in caught.value.problems[1]


def test_a_million_rows_are_refused_before_they_are_read() -> None:
    population = SPACE.sample(np.random.default_rng(0), 1)
    header, row = lines(population, ["0.5"])
    served = 0

    def million() -> object:
        nonlocal served
        yield header
        for _ in range(1_000_000):
            served += 1
            yield row

    with pytest.raises(RecordsError, match="more than 100 rows"):
        read_records(million(), SPACE, ACCURACY_UNITS, lowest=-1e-9, highest=1.0, most_rows=100)  # type: ignore[arg-type]
    assert served == 101


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(RecordsError) as caught:
        read(text)
    assert 1 <= len(caught.value.problems) <= 21


@given(st.integers(0, 2**32), st.data())
def test_a_damaged_file_is_read_or_refused_with_a_sentence(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    population = SPACE.sample(rng, 4)
    buffer = io.StringIO("\n".join(lines(population, ["0.5", "0.6", "0.7", "0.8"])))
    cells = list(csv.reader(buffer))
    row, column = data.draw(st.integers(0, 4)), data.draw(st.integers(0, len(NAMES)))
    cells[row][column] = data.draw(st.text(max_size=12))
    with contextlib.suppress(RecordsError):
        assert len(read("\n".join(",".join(line) for line in cells)).values)
