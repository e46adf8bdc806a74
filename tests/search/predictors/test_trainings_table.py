"""The benchmark's tables of finished trainings: how a file is read, and that a sampler can search it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.trainings_table import TrainingsTable
from search.predictors import Sampler, SamplerSettings


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_column_of_digit_strings_is_one_gene_a_digit(tmp_path: Path) -> None:
    path = written(tmp_path, "arch,accuracy\n0120,91.5\n0021,90\n2120,88\n")
    table = TrainingsTable.read(path, ["arch"], "accuracy", categorical=True)
    assert table.cardinalities == (2, 2, 1, 2)
    assert table.choices[0] == ("0", "2")
    assert table.measure(table.rows[0].tolist()) == 90.0


def test_several_columns_of_equally_long_numbers_stay_whole_and_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, "width,depth,accuracy\n16,1,0.5\n64,2,0.7\n32,1,0.6\n")
    table = TrainingsTable.read(path, ["width", "depth"], "accuracy", categorical=False)
    assert table.choices == (("16", "32", "64"), ("1", "2"))
    np.testing.assert_allclose(table.features(table.rows)[:, 0], [0.0, 0.5, 1.0])


def test_rows_of_equal_genes_are_averaged_and_rows_without_a_number_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "kind,accuracy\na,0.5\na,0.7\nb,0.9\nc,\nd,diverged\ne,nan\n")
    table = TrainingsTable.read(path, ["kind"], "accuracy", categorical=True)
    assert table.without_target == 3
    np.testing.assert_allclose(table.target, [0.6, 0.9])


@pytest.mark.parametrize(
    ("genes", "target", "text", "message"),
    [
        (["size"], "accuracy", "kind,accuracy\na,1\nb,2\n", "no column size"),
        (["kind"], "accuracy", "kind,accuracy\na,1\nb,2\n", "use --kind categorical"),
        (["kind"], "accuracy", "kind,accuracy\n1,x\n2,3\n", "needs at least 2"),
        (["kind"], "accuracy", "", "no column kind"),
    ],
)
def test_tables_that_cannot_be_read_are_refused_in_plain_words(
    tmp_path: Path, genes: list[str], target: str, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingsTable.read(written(tmp_path, text), genes, target, categorical=False)


def test_a_sampler_stays_within_a_table_with_gaps_until_it_is_used_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = sorted({tuple(row) for row in rng.integers(3, size=(30, 4)).tolist()})
    lines = [",".join(map(str, row)) + f",{0.5 + 0.05 * sum(row)}" for row in rows]
    path = written(tmp_path, "a,b,c,d,accuracy\n" + "\n".join(lines))
    table = TrainingsTable.read(path, ["a", "b", "c", "d"], "accuracy", categorical=True)
    sampler = Sampler(table, SamplerSettings(seed=0, initial=5, bounds=None))
    proposed = []
    while (proposal := sampler.ask()) is not None:
        proposed.append(proposal.genes)
        sampler.tell(proposal.genes, table.measure(proposal.genes))
    assert sorted(proposed) == [tuple(row) for row in table.rows.tolist()]
