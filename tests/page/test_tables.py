"""A table's cells that say the same for several rows are one."""

from __future__ import annotations

from report.page.tables import merged


def spans(*rows: str) -> list[list[tuple[str, int]]]:
    return [[tuple(cell) for cell in row] for row in merged([row.split() for row in rows])]


def test_what_three_rows_or_more_have_in_common_at_their_start_is_one_cell() -> None:
    assert spans("a x 1", "a x 2", "a x 3") == [[("a", 3), ("x", 3), ("1", 1)], [("2", 1)], [("3", 1)]]
    assert spans("a 1", "a 2") == [[("a", 1), ("1", 1)], [("a", 1), ("2", 1)]]
    assert merged([]) == []


def test_columns_are_only_merged_among_rows_that_are_alike_before_them() -> None:
    assert spans("a x 1", "b x 2", "c x 3") == [[(name, 1), ("x", 1), (n, 1)] for name, n in ("a1", "b2", "c3")]
    assert spans("a x 1", "a y 2", "a y 3") == [
        [("a", 3), ("x", 1), ("1", 1)],
        [("y", 1), ("2", 1)],
        [("y", 1), ("3", 1)],
    ]


def test_the_last_column_has_a_cell_for_every_row() -> None:
    assert [row[-1] for row in spans("a 5", "a 5", "a 5")] == [("5", 1)] * 3
