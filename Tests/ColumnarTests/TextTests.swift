import Testing

@testable import Columnar

private func text(_ body: (inout [UInt8]) -> Void) -> String {
    var bytes: [UInt8] = []
    body(&bytes)
    return String(decoding: bytes, as: UTF8.self)
}

private func withBytes<Value>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    Array(text.utf8).withUnsafeBytes(body)
}

@Suite("Values as text")
struct ValueTextTests {
    @Test(
        "doubles are written as ClickHouse writes them",
        arguments: [
            (1, "1"), (1.5, "1.5"), (-0.0, "-0"), (1e20, "100000000000000000000"), (1e21, "1e21"),
            (123456789012345683968, "123456789012345680000"), (1.5e300, "1.5e300"), (0.000001, "0.000001"),
            (0.0000001, "1e-7"), (1.5e-6, "0.0000015"), (123456.789e-10, "0.0000123456789"),
            (.leastNonzeroMagnitude, "5e-324"),
            (.nan, "nan"), (.infinity, "inf"), (-.infinity, "-inf"), (1.7976931348623157e308, "1.7976931348623157e308"),
            (0.1 + 0.2, "0.30000000000000004"), (-123.456, "-123.456"), (1e15, "1000000000000000"),
            (1.2345678901234569e23, "1.2345678901234569e23"), (9007199254740992, "9007199254740992"), (0.001, "0.001"),
        ] as [(Double, String)])
    func doubles(value: Double, expected: String) {
        #expect(text { ValueText.append(double: value, to: &$0) } == expected)
        #expect(
            withBytes(expected) { ValueText.parseDouble($0) }.map { $0 == value || $0.isNaN && value.isNaN } == true)
    }

    @Test(
        "floats need fewer digits than doubles",
        arguments: [
            (0.1, "0.1"), (16_777_216, "16777216"), (1e20, "100000000000000000000"), (1e21, "1e21"), (3.4e38, "3.4e38"),
        ]
            as [(Float, String)])
    func floats(value: Float, expected: String) {
        #expect(text { ValueText.append(float: value, to: &$0) } == expected)
    }

    @Test("integers of every width survive the round trip")
    func integers() {
        #expect(text { ValueText.append(integer: Int64.min, to: &$0) } == "-9223372036854775808")
        #expect(text { ValueText.append(integer: UInt64.max, to: &$0) } == "18446744073709551615")
        #expect(withBytes("-9223372036854775808") { ValueText.parseInteger($0) as Int64? } == .min)
        #expect(withBytes("18446744073709551615") { ValueText.parseInteger($0) as UInt64? } == .max)
        #expect(withBytes("18446744073709551616") { ValueText.parseInteger($0) as UInt64? } == nil)
        #expect(withBytes("99999999999999999999999") { ValueText.parseInteger($0) as UInt64? } == nil)
        #expect(withBytes("-129") { ValueText.parseInteger($0) as Int8? } == nil)
        #expect(withBytes("+12") { ValueText.parseInteger($0) as Int8? } == 12)
        for bad in ["", "-", "1 ", " 1", "1.0", "1e3", "0x1"] {
            #expect(withBytes(bad) { ValueText.parseInteger($0) as Int32? } == nil, "\(bad)")
        }
        #expect(withBytes("-1") { ValueText.parseInteger($0) as UInt8? } == nil)
    }

    @Test(
        "numbers that are none are refused",
        arguments: ["", ".", "1e", "1_0", "e5", "abc", "1.5x", "--1", "+", "1e+", "nanx"])
    func badDoubles(bad: String) {
        #expect(withBytes(bad) { ValueText.parseDouble($0) } == nil)
    }

    @Test("addresses and identifiers have their usual short forms")
    func addresses() {
        let samples = [
            "::1": "::1", "::ffff:1.2.3.4": "::ffff:1.2.3.4", "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
            "2001:0:0:1::": "2001:0:0:1::", "1:2:3:4:5:6:7:0": "1:2:3:4:5:6:7:0", "0:0:3:4:5:6:7:8": "::3:4:5:6:7:8",
            "::": "::", "::1.2.3.4": "::1.2.3.4", "1.2.3.4": "::ffff:1.2.3.4", "fe80::A": "fe80::a",
        ]
        for (input, expected) in samples {
            let value = withBytes(input) { ValueText.parseIPv6($0) }
            #expect(value.map { value in text { ValueText.appendIPv6(value, to: &$0) } } == expected, "\(input)")
        }
        for bad in ["", ":", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "x", "1:", ":1", "::1.2.3"] {
            #expect(withBytes(bad) { ValueText.parseIPv6($0) } == nil, "\(bad)")
        }
        #expect(withBytes("255.1.02.3") { ValueText.parseIPv4($0) } == 0xFF01_0203)
        for bad in ["1.2.3", "256.1.1.1", "1.2.3.4.5", "1.2.3.", "1,2,3,4"] {
            #expect(withBytes(bad) { ValueText.parseIPv4($0) } == nil, "\(bad)")
        }
        let identifier = "61f0c404-5cb3-11e7-907b-a6006ad3dba0"
        let value = withBytes(identifier.uppercased()) { ValueText.parseUUID($0) }
        #expect(value.map { value in text { ValueText.appendUUID(value, to: &$0) } } == identifier)
        #expect(withBytes("61f0c4045cb311e7907ba6006ad3dba0") { ValueText.parseUUID($0) } == value)
        #expect(withBytes("61f0c404x5cb3-11e7-907b-a6006ad3dba0") { ValueText.parseUUID($0) } == nil)
    }

    @Test("nested values are written with quotes and read back")
    func nested() throws {
        let type = try DataType(parsing: "Array(Nullable(String))")
        let written = #"['a','b\'c','d\\e','f\tg\n\0',NULL]"#
        let scalar = try ValueText.parseScalar(Array(written.utf8), type: type)
        let column = Column(type: type, scalars: [scalar])
        #expect(text { ValueText.append(column, row: 0, to: &$0) } == written)
        let map = try DataType(parsing: "Map(String, UInt8)")
        let entries = try ValueText.parseScalar(Array("{'a' : 1, 'b':2}".utf8), type: map)
        #expect(text { ValueText.append(Column(type: map, scalars: [entries]), row: 0, to: &$0) } == "{'a':1,'b':2}")
        for bad in ["[1", "1]", "[1,]", "[a]", "[[1]]", "", "[1] x"] {
            #expect(throws: ColumnarError.self) {
                try ValueText.parseScalar(Array(bad.utf8), type: .array(.uint8))
            }
        }
    }
}

@Suite("Dates and times as text")
struct TimeTextTests {
    @Test("every day of 800 years converts to a date and back")
    func civilRoundTrip() {
        var expected = (year: 1600, month: 1, day: 1)
        for days in Civil.days(year: 1600, month: 1, day: 1)..<Civil.days(year: 2400, month: 1, day: 1) {
            let date = Civil.date(fromDays: days)
            guard date == expected, Civil.days(year: date.year, month: date.month, day: date.day) == days else {
                Issue.record("day \(days) is \(date), not \(expected)")
                return
            }
            expected.day += 1
            if expected.day > Civil.daysInMonth(year: expected.year, month: expected.month) {
                expected = (expected.year, expected.month + 1, 1)
            }
            if expected.month == 13 { expected = (expected.year + 1, 1, 1) }
        }
        #expect(Civil.days(year: 1970, month: 1, day: 1) == 0)
        #expect(Civil.weekday(days: 0) == 4)
        #expect(Civil.isoWeek(days: Civil.days(year: 2021, month: 1, day: 3)) == (2020, 53))
    }

    @Test(
        "times are read in the forms logs have",
        arguments: [
            ("2024-04-17T04:04:12", 1_713_326_652, 0), ("2024-04-17 04:04:12.123456789", 1_713_326_652, 123_456_789),
            ("2024-04-17T04:04:12Z", 1_713_326_652, 0), ("2024-04-17T04:04:12.5+02:00", 1_713_319_452, 500_000_000),
            ("2024-04-17T04:04:12-0230", 1_713_335_652, 0), ("2024-4-7", 1_712_448_000, 0),
            ("20240407", 1_712_448_000, 0),
            ("2024-04-17 04:04", 1_713_326_640, 0), ("0000-01-01", -62_167_219_200, 0),
            ("9999-12-31 23:59:59", 253_402_300_799, 0), ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ] as [(String, Int64, Int32)])
    func parsing(input: String, seconds: Int64, nanos: Int32) throws {
        let found = try #require(withBytes(input) { ValueText.parseDateTime($0, zone: .utc) })
        #expect(found == (seconds, nanos))
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "2024", "2024-13-01", "2024-02-30", "2024-01-01 24:00:00", "2024-01-01 10:60", "2024-01-01T",
            "2024-01-01 1",
            "2024-01-01 00:00:00.", "2024-01-01 00:00:00 x", "2024-01-01 00:00:00+2", "2024-01-01x", "1713326652",
        ])
    func badTimes(input: String) {
        #expect(withBytes(input) { ValueText.parseDateTime($0, zone: .utc) } == nil)
    }

    @Test("ticks of any precision are written, before 1970 too, and held to four-digit years")
    func ticks() {
        func written(_ ticks: Int64, _ precision: Int, iso: Bool = false) -> String {
            text { ValueText.appendDateTime64(ticks: ticks, precision: precision, zone: .utc, iso: iso, to: &$0) }
        }
        #expect(written(-1, 3) == "1969-12-31 23:59:59.999")
        #expect(written(-1500, 3, iso: true) == "1969-12-31T23:59:58.500Z")
        #expect(written(.max, 9) == "2262-04-11 23:47:16.854775807")
        #expect(written(.max, 0) == "9999-12-31 23:59:59")
        #expect(written(.min, 0) == "0000-01-01 00:00:00")
        #expect(written(0, 0) == "1970-01-01 00:00:00")
    }
}

@Suite("Time zones")
struct TimeZoneTests {
    @Test("fixed zones need no files")
    func fixed() {
        #expect(TimeZone.named("Etc/UTC")?.offsetSeconds(atUnix: 0) == 0)
        #expect(TimeZone.named("Etc/GMT+3")?.offsetSeconds(atUnix: 0) == -10_800)
        #expect(TimeZone.named("Fixed/UTC+05:30:00")?.offsetSeconds(atUnix: 0) == 19_800)
        for bad in ["", "Mars/Phobos", "../../etc/passwd", "Europe/../UTC", "/etc/localtime", "Europe/", "Etc/GMT+99"] {
            #expect(TimeZone.named(bad) == nil, "\(bad)")
        }
    }

    @Test(
        "summer time is found from the files and from their rule for years to come",
        .enabled(if: TimeZone.named("Europe/Berlin") != nil))
    func berlin() throws {
        let zone = try #require(TimeZone.named("Europe/Berlin"))
        #expect(zone.offsetSeconds(atUnix: 1_711_846_799) == 3600)
        #expect(zone.offsetSeconds(atUnix: 1_711_846_800) == 7200)
        // 2100-07-01 lies far past the last transition that the file lists.
        #expect(zone.offsetSeconds(atUnix: Civil.days(year: 2100, month: 7, day: 1) * 86_400) == 7200)
        #expect(zone.offsetSeconds(atUnix: Civil.days(year: 2100, month: 12, day: 1) * 86_400) == 3600)
        func unix(_ text: String) -> Int64? { withBytes(text) { ValueText.parseDateTime($0, zone: zone) }?.seconds }
        // Skipped at the start of summer time, shown twice at its end.
        #expect(unix("2024-03-31 02:30:00") == 1_711_845_000)
        #expect(unix("2024-10-27 02:30:00") == 1_729_989_000)
        #expect(unix("2024-10-27 03:30:00") == 1_729_996_200)
        #expect(unix("2024-03-31 03:30:00") == 1_711_848_600)
    }

    @Test("a zone file cut short or with lies in its counts is refused")
    func damaged() {
        let good: [UInt8] =
            Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + [
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4,
            ]
            + [0, 0, 0x0E, 0x10, 0, 0] + Array("ABC\0".utf8)
        let file = good + good + Array("\nCET-1CEST,M3.5.0,M10.5.0/3\n".utf8)
        #expect(ZoneFiles.parse(file)?.period(at: 1_720_000_000).offset == 7200)
        for length in 0..<(2 * good.count) { #expect(ZoneFiles.parse(Array(file[..<length])) == nil, "\(length)") }
        for index in 20..<44 {
            var bad = file
            bad[index] = 0xFF
            _ = ZoneFiles.parse(bad)
        }
        for footer in [
            "", "CET", "CET-", "CET-1CEST", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.5.0", "<", "CET-1CEST,J400,J1",
        ] {
            _ = ZoneFiles.parse(good + good + Array("\n\(footer)\n".utf8))
        }
    }
}

@Suite("Type names")
struct TypeNameTests {
    @Test(
        "names come back as they were read",
        arguments: [
            "Bool", "Int8", "UInt64", "Float32", "String", "Date", "DateTime", "DateTime('Etc/UTC')", "DateTime64(3)",
            "DateTime64(9, 'UTC')", "UUID", "IPv4", "IPv6", #"Enum8('a' = -1, 'b\'c' = 2)"#, "Enum16('x' = 1000)",
            "Nullable(DateTime64(6))", "Array(Array(Nullable(String)))", "Map(String, Array(UInt8))",
            "LowCardinality(Nullable(String))", "Tuple(UInt8, String)", "Array(Nothing)", "Nullable(Nothing)",
            "IntervalMinute",
        ])
    func roundTrip(name: String) throws {
        #expect(try DataType(parsing: name).name == name)
    }

    @Test(
        "names of other databases and of any case are understood",
        arguments: [
            ("INT", "Int32"), ("bigint unsigned", "UInt64"), ("VARCHAR(10)", "String"), ("character varying", "String"),
            ("TEXT", "String"), ("boolean", "Bool"), ("DOUBLE PRECISION", "Float64"), ("TIMESTAMP", "DateTime"),
            ("datetime64", "DateTime64(3)"), (" Nullable ( Int8 ) ", "Nullable(Int8)"),
            ("Enum('a','b')", "Enum8('a' = 1, 'b' = 2)"),
            ("Enum('a' = 300)", "Enum16('a' = 300)"), ("Enum8('b'=2,'a'=1)", "Enum8('a' = 1, 'b' = 2)"),
        ])
    func aliases(input: String, expected: String) throws {
        #expect(try DataType(parsing: input).name == expected)
    }

    @Test(
        "impossible types are refused with a reason",
        arguments: [
            "", "Int9", "int8", "string", "Nullable", "Nullable(", "Nullable()", "Nullable(Array(Int8))",
            "Nullable(Nullable(Int8))",
            "LowCardinality(Array(Int8))", "Map(Nullable(String), String)", "Map(String)", "DateTime64(10)",
            "DateTime('Mars')",
            "Enum8('a' = 200)", "Enum8('a' = 1, 'a' = 2)", "Enum8()", "Int8 x", "FixedString(3)", "Array(Int8",
            "Enum8('a' = 1, 'b' = 1)",
            String(repeating: "Array(", count: 100_000),
        ])
    func refused(input: String) {
        #expect(throws: ColumnarError.self) { try DataType(parsing: input) }
    }

    @Test("a mistyped name is answered with the one that was meant")
    func suggestion() throws {
        #expect(nearestName(to: "Stirng", in: ["Int8", "String", "UUID"]) == "String")
        #expect(nearestName(to: "xyz", in: ["Int8", "String"]) == nil)
        do {
            _ = try DataType(parsing: "Strin")
            Issue.record("no error")
        } catch {
            #expect(error.message.contains("'String'"))
        }
    }
}
