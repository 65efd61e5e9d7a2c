"""The addresses of the tables as files."""

from node.admin.tables import FILE, PATH, TablesPage
from node.app.admin_tables import TABLES


def test_each_table_has_a_name_that_fits_into_an_address_and_columns_of_its_own():
    assert FILE.startswith(PATH)
    for table in TABLES.values():
        assert table.name.isalpha()
        assert len(table.columns) == len(set(table.columns))
        assert all(column.replace("_", "").isalnum() and column.isascii() for column in table.columns)
    assert tuple(TABLES.values()) == TablesPage.__dataclass_fields__["tables"].default
