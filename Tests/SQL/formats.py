#!/usr/bin/env python3
"""Writes formats/*.txt: what ClickHouse (chDB) makes of the same results in each format. The tests build the same
results by hand; see OutputFormatTests.swift."""
import os

import chdb

RESULTS = {
    "plain": r"""SELECT * FROM values('i Int32, u UInt64, f Float64, s String, n Nullable(Int64), b Bool, d Date, t DateTime(\'UTC\'), m DateTime64(3, \'UTC\'), l LowCardinality(String)',
        (-1, 18446744073709551615, 1.5, 'it''s "q"\t/\n\\', NULL, true, '2024-02-29', '2024-02-29 01:02:03', '2024-02-29 01:02:03.456', 'x'),
        (2147483647, 0, inf, 'Zoë 日本', 5, false, '1970-01-01', '1970-01-01 00:00:00', '1969-12-31 23:59:59.999', ''),
        (0, 1, nan, '', -9223372036854775808, true, '2149-06-06', '2106-02-07 06:28:15', '2200-01-01 00:00:00.000', 'y'))""",
    "nested": r"""SELECT * FROM values('a Array(String), b Array(Nullable(Int8)), m Map(String, String), e Enum8(\'one\' = 1, \'t"wo\' = 2), u UUID, p IPv4, q IPv6, t Tuple(UInt8, String), x Array(Array(UInt8))',
        (['a', 'it''s'], [1, NULL], map('k', 'v"', 'z', ''), 'one', '61f0c404-5cb3-11e7-907b-a6006ad3dba0', '1.2.3.4', '2001:db8::1', (1, 'x"y'), [[1], []]),
        ([], [], map(), 't"wo', '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::', (0, ''), []))""",
    "empty": "SELECT toUInt8(1) AS a, 'x' AS `b c` WHERE 0",
    "single": "SELECT toInt64(number * 2000000) AS n FROM numbers(3)",
    "lines": r"SELECT * FROM values('a String, n Int32', ('one\ntwo', 1), ('x', 22222))",
    "table": "SELECT 'abc' AS a, toUInt8(12) AS longname, toNullable(NULL) AS n, 'Zoë 日本' AS w, toDate('2024-02-29') AS d, true AS b FROM numbers(2)",
    "many": "SELECT number AS n, toString(number) AS s FROM numbers(60)",
    "long": "SELECT number AS n FROM numbers(2500)",
}
FORMATS = """TabSeparated TabSeparatedWithNames TabSeparatedWithNamesAndTypes TabSeparatedRaw CSV CSVWithNames
CSVWithNamesAndTypes JSON JSONCompact JSONStrings JSONEachRow JSONCompactEachRow JSONCompactEachRowWithNamesAndTypes
Values Vertical Markdown Pretty PrettyCompact PrettySpace""".split()
SETTINGS = "SETTINGS output_format_write_statistics = 0"


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")
    os.makedirs(folder, exist_ok=True)
    for name, query in RESULTS.items():
        for format in FORMATS:
            if name in ("many", "long") and not format.startswith(("Pretty", "Vertical")):
                continue
            with open(os.path.join(folder, f"{name}.{format}.txt"), "wb") as file:
                file.write(chdb.query(f"{query} {SETTINGS}", format).bytes())


main()
