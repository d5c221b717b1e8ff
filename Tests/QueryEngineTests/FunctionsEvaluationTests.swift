import Columnar
import Testing

@testable import QueryEngine

private let context = EvaluationContext(nowNs: 1_795_240_800_123_456_789)

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func list(_ column: Column) -> [Scalar] { (0..<column.count).map { column.scalar(at: $0) } }

@Suite("Bound functions")
struct FunctionsEvaluationTests {
    let levels = ValueDictionary(values: Column(type: .string, data: .string(StringData(["Info", "ERROR", "error"]))))

    private func dictionaryColumn(_ codes: [UInt16], nulls: [UInt8]? = nil) -> Column {
        Column(
            type: nulls == nil ? .lowCardinality(.string) : .lowCardinality(.nullable(.string)),
            data: .dictionary(DictionaryData(codes: codes, dictionary: levels)), nulls: nulls)
    }

    @Test("a string function of a dictionary is a dictionary of distinct values, the same for all blocks")
    func dictionaryResults() throws {
        let column = BoundExpression.column(index: 0, type: .lowCardinality(.string))
        let lower = try FunctionCall.make("lower", arguments: [column])
        #expect(lower.type == .lowCardinality(.string))
        let first = try lower.evaluate([dictionaryColumn([0, 1, 2, 1])], rowCount: 4, context: context)
        let second = try lower.evaluate([dictionaryColumn([2, 2, 0])], rowCount: 3, context: context)
        guard case .dictionary(let one) = first.data, case .dictionary(let two) = second.data else {
            Issue.record("the dictionary was lost")
            return
        }
        #expect(one.dictionary === two.dictionary && one.dictionary.values.count == 2)
        #expect(one.codes == [0, 1, 1, 1] && two.codes == [1, 1, 0])
    }

    @Test("a comparison of a dictionary keeps its NULLs")
    func dictionaryComparison() throws {
        let column = BoundExpression.column(index: 0, type: .lowCardinality(.nullable(.string)))
        let equals = try FunctionCall.make(
            "equals", arguments: [column, .constant(.string(bytes("ERROR")), .string)])
        #expect(equals.type.name == "LowCardinality(Nullable(UInt8))")
        let input = dictionaryColumn([0, 1, 2, 1, 0], nulls: [0, 0, 0, 1, 1])
        let result = try equals.evaluate([input], rowCount: 5, context: context)
        #expect(list(result) == [.uint(0), .uint(1), .uint(0), .null, .null])
    }

    @Test("a value of the dictionary that no row has cannot make a cast fail")
    func dictionaryFailure() throws {
        let numbers = ValueDictionary(values: Column(type: .string, data: .string(StringData(["1", "none", "3"]))))
        let input = Column(
            type: .lowCardinality(.string), data: .dictionary(DictionaryData(codes: [0, 2, 0], dictionary: numbers)))
        let column = BoundExpression.column(index: 0, type: .lowCardinality(.string))
        for name in ["toInt32", "CAST"] {
            let target = BoundExpression.constant(.string(bytes("Int32")), .string)
            let call = try FunctionCall.make(name, arguments: name == "CAST" ? [column, target] : [column])
            let result = try call.evaluate([input], rowCount: 3, context: context)
            #expect(list(result) == [.int(1), .int(3), .int(1)])
        }
    }

    @Test("what stands at a NULL cannot make a function fail")
    func failureAtNull() throws {
        let input = Column(
            type: .nullable(.string), data: .string(StringData(["5", "", "7"])), nulls: [0, 1, 0])
        let call = try FunctionCall.make("toInt32", arguments: [.column(index: 0, type: .nullable(.string))])
        #expect(list(try call.evaluate([input], rowCount: 3, context: context)) == [.int(5), .null, .int(7)])
        let divisors = Column(type: .nullable(.uint8), data: .uint8([2, 0, 5]), nulls: [0, 1, 0])
        let division = try FunctionCall.make(
            "intDiv", arguments: [.constant(.uint(10), .uint8), .column(index: 0, type: .nullable(.uint8))])
        #expect(list(try division.evaluate([divisors], rowCount: 3, context: context)) == [.uint(5), .null, .uint(2)])
    }

    @Test("a branch not taken is not computed")
    func shortCircuit() throws {
        let column = BoundExpression.column(index: 0, type: .uint8)
        let ten = BoundExpression.constant(.uint(10), .uint8)
        let division = try FunctionCall.make("intDiv", arguments: [ten, column])
        let isZero = try FunctionCall.make("equals", arguments: [column, .constant(.uint(0), .uint8)])
        let isSet = try FunctionCall.make("notEquals", arguments: [column, .constant(.uint(0), .uint8)])
        let input = [Column(type: .uint8, data: .uint8([2, 0, 5, 0]))]
        let choice = try FunctionCall.make("if", arguments: [isZero, .constant(.uint(0), .uint8), division])
        #expect(list(try choice.evaluate(input, rowCount: 4, context: context)) == [5, 0, 2, 0].map { .uint($0) })
        let both = try FunctionCall.make("and", arguments: [isSet, division])
        #expect(list(try both.evaluate(input, rowCount: 4, context: context)) == [1, 0, 1, 0].map { .uint($0) })
        #expect(throws: QueryError.self) { try division.evaluate(input, rowCount: 4, context: context) }
    }

    @Test("and, or and xor know three values")
    func threeValues() throws {
        let left = Column(
            type: .nullable(.uint8), data: .uint8([1, 1, 1, 0, 0, 0, 0, 0, 0]), nulls: [0, 0, 0, 0, 0, 0, 1, 1, 1])
        let right = Column(
            type: .nullable(.uint8), data: .uint8([1, 0, 0, 1, 0, 0, 1, 0, 0]), nulls: [0, 0, 1, 0, 0, 1, 0, 0, 1])
        let arguments: [BoundExpression] = [.column(index: 0, type: left.type), .column(index: 1, type: right.type)]
        func run(_ name: String) throws -> [Scalar] {
            list(
                try FunctionCall.make(name, arguments: arguments).evaluate(
                    [left, right], rowCount: 9, context: context))
        }
        let (yes, no) = (Scalar.uint(1), Scalar.uint(0))
        #expect(try run("and") == [yes, no, .null, no, no, no, .null, no, .null])
        #expect(try run("or") == [yes, yes, yes, yes, no, .null, yes, .null, .null])
        #expect(try run("xor") == [no, yes, .null, yes, no, .null, .null, .null, .null])
    }

    @Test("constants are folded, now() only once its time is known, rand() never")
    func folding() throws {
        let one = BoundExpression.constant(.uint(1), .uint8)
        #expect(try FunctionCall.make("plus", arguments: [one, one]).constantValue == .uint(2))
        #expect(try FunctionCall.make("now", arguments: []).constantValue == nil)
        #expect(try FunctionCall.make("now", arguments: [], context: context).constantValue == .uint(1_795_240_800))
        #expect(try FunctionCall.make("rand", arguments: [], context: context).constantValue == nil)
        let rows = try FunctionCall.make("rand", arguments: []).evaluate([], rowCount: 100, context: context)
        #expect(Set(list(rows)).count > 50)
    }

    @Test("a constant string beside a column of another type becomes a constant of that type")
    func convertedConstants() throws {
        let time = BoundExpression.column(index: 0, type: .dateTime64(precision: 3, timeZone: nil))
        let bound = try FunctionCall.make(
            "greaterOrEquals", arguments: [time, .constant(.string(bytes("2025-01-01")), .string)])
        guard case .call(let call) = bound else {
            Issue.record("not a call")
            return
        }
        #expect(call.arguments[1].constantValue == .int(1_735_689_600_000))
        #expect(call.arguments[1].type == .dateTime64(precision: 3, timeZone: nil))
    }

    @Test("unknown names are answered with the nearest, at their place")
    func unknownNames() {
        do {
            _ = try FunctionCall.make("lowerr", arguments: [], position: 7)
            Issue.record("no error")
        } catch {
            #expect(error.code == .unknownFunction && error.position == 7)
            #expect(error.message.contains("'lower'"))
        }
    }

    @Test("no rows give no rows, for every function that takes what it is given")
    func noRows() throws {
        let arguments: [[BoundExpression]] = [
            [.column(index: 0, type: .string)], [.column(index: 1, type: .int64)], [.column(index: 2, type: .float64)],
            [.column(index: 3, type: .dateTime64(precision: 3, timeZone: nil))],
            [.column(index: 4, type: .array(.string))],
            [.column(index: 0, type: .string), .column(index: 0, type: .string)],
            [.column(index: 1, type: .int64), .column(index: 1, type: .int64)],
            [.column(index: 5, type: .nullable(.string))], [.column(index: 6, type: .map(.string, .string))],
        ]
        let types: [DataType] = [
            .string, .int64, .float64, .dateTime64(precision: 3, timeZone: nil), .array(.string), .nullable(.string),
            .map(.string, .string),
        ]
        let inputs = types.map { Column(type: $0, scalars: []) }
        var bound = 0
        for name in FunctionRegistry.names {
            for candidate in arguments {
                guard let call = try? FunctionCall.make(name, arguments: candidate) else { continue }
                bound += 1
                let result = try call.evaluate(inputs, rowCount: 0, context: context)
                #expect(result.count == 0, "\(name)")
            }
        }
        #expect(bound > 300)
    }

    @Test("hostile values make errors, never traps, in every function")
    func hostileValues() throws {
        let longs: [Int64] = [.min, -1, 0, 1, .max]
        let columns: [Column] = [
            Column(
                type: .string,
                data: .string(StringData(["", "\u{0}", "%", "\\", "((", String(repeating: "a", count: 300)]))
            ).slice(0..<5),
            Column(type: .int64, data: .int64(longs)),
            Column(type: .uint64, data: .uint64([0, 1, 7, 1 << 63, .max])),
            Column(type: .float64, data: .float64([.nan, -.infinity, 1e308, -1e-308, .infinity])),
            Column(type: .dateTime64(precision: 9, timeZone: nil), data: .int64(longs)),
            Column(type: .dateTime64(precision: 0, timeZone: nil), data: .int64(longs)),
            Column(type: .dateTime(timeZone: nil), data: .uint32([0, 1, 2, 3, .max])),
            Column(type: .date, data: .uint16([0, 1, 2, 3, .max])),
            Column(
                type: .array(.int64),
                scalars: [.array([]), .array([.int(.min)]), .array([.int(.max)]), .array([]), .array([.int(0)])]),
            Column(type: .int8, data: .int8([.min, -1, 0, 1, .max])),
        ]
        let expressions = columns.enumerated().map { BoundExpression.column(index: $0, type: $1.type) }
        let constants: [BoundExpression] = [
            .constant(.int(.min), .int64), .constant(.uint(.max), .uint64), .constant(.string(bytes("(")), .string),
            .constant(.float(.nan), .float64), .constant(.uint(0), .uint8), .constant(.int(-1), .int8),
        ]
        for name in FunctionRegistry.names {
            for first in expressions {
                var calls: [[BoundExpression]] = [[first]]
                for second in expressions + constants { calls.append([first, second]) }
                calls.append([first, constants[0], constants[1]])
                calls.append([first, constants[1], constants[0]])
                for arguments in calls {
                    guard let call = try? FunctionCall.make(name, arguments: arguments) else { continue }
                    _ = try? call.evaluate(columns, rowCount: 5, context: context)
                }
            }
        }
    }
}

@Suite("Search in text")
struct TextSearchTests {
    @Test("a needle across two rows is no match")
    func rowBorders() {
        let rows = StringData(["ab", "cab", "", "xabcx", "abc"])
        #expect(rows.contains(bytes("abc")) == [0, 0, 0, 1, 1])
        #expect(rows.contains(bytes("bc")) == [0, 0, 0, 1, 1])
        #expect(rows.contains([]) == [1, 1, 1, 1, 1])
    }

    @Test("the fast search finds what a plain one finds")
    func fastSearch() {
        var generator = SystemRandomNumberGenerator()
        for length in 0..<200 {
            let text = (0..<length).map { _ in UInt8.random(in: 97...99, using: &generator) }
            for count in 1...5 {
                let needle = (0..<count).map { _ in UInt8.random(in: 97...99, using: &generator) }
                let plain =
                    length < count ? nil : (0...(length - count)).first { Array(text[$0..<$0 + count]) == needle }
                let found = text.withUnsafeBytes { text in needle.withUnsafeBytes { find($0, in: text) } }
                #expect(found == plain)
            }
        }
        let hard = [UInt8](repeating: 97, count: 10_000)
        let needle = [UInt8](repeating: 97, count: 500) + [98, 97]
        #expect(hard.withUnsafeBytes { text in needle.withUnsafeBytes { find($0, in: text) } } == nil)
    }

    @Test(
        "bytes that every match of an expression has",
        arguments: [
            ("order=9[0-9]{3,5} attempt=[23]", " attempt="), ("abc", "abc"), ("a|b", ""), ("(?i)abc", ""),
            ("ab?cd", "cd"),
            ("x(ab|cd)yz", "yz"), ("a\\.bc", "a.bc"), ("\\d+foo", "foo"), ("fo+bar", "bar"), ("[a]]bc", "]bc"),
            ("a{2}bcd", "bcd"),
        ])
    func requiredBytes(pattern: String, expected: String) {
        #expect(RegularExpression.requiredBytes(of: bytes(pattern)) == bytes(expected))
    }

    @Test("division by multiplication is exact")
    func fastDivision() {
        for divisor in [1, 2, 3, 7, 10, 60, 86_400, 1_000_000, 3_600_000_000_000, Int64.max] {
            let divide = FastDivider(divisor)
            for value in [0, 1, divisor - 1, divisor, 1_795_240_800_123, Int64.max, -1, -divisor, .min + 1, .min]
                as [Int64]
            {
                #expect(divide(value) == Civil.floorDivide(value, divisor), "\(value) / \(divisor)")
            }
        }
    }
}
