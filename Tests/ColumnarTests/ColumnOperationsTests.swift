import Testing

@testable import Columnar

@Suite("Operations on columns")
struct ColumnOperationsTests {
    static let samples: [(DataType, [Scalar])] = [
        (.int8, [.int(-1), .int(0), .int(127)]),
        (.uint64, [.uint(0), .uint(.max), .uint(7)]),
        (.nullable(.int64), [.int(5), .null, .int(.min)]),
        (.string, [.string(Array("a".utf8)), .string([]), .string([0xFF, 0])]),
        (.float64, [.float(1.5), .float(-0.0), .float(.infinity)]),
        (.uuid, [.wide(1), .wide(.max), .wide(0)]),
        (.array(.nullable(.string)), [.array([.string([65]), .null]), .array([]), .array([.string([])])]),
        (.map(.string, .string), [.map([.string([65]), .string([66])]), .map([]), .map([.string([]), .string([])])]),
        (.bool, [.int(1), .int(0), .int(1)]),
        (
            .tuple([.int32, .string]),
            [.tuple([.int(1), .string([65])]), .tuple([.int(2), .string([])]), .tuple([.int(3), .string([])])]
        ),
    ]

    @Test("values come back as they were put in", arguments: samples.indices)
    func scalarsRoundTrip(index: Int) {
        let (type, values) = Self.samples[index]
        let column = Column(type: type, scalars: values)
        #expect((0..<column.count).map { column.scalar(at: $0) } == values)
    }

    @Test("rows taken, cut, masked and joined keep their values", arguments: samples.indices)
    func rowOperations(index: Int) {
        let (type, values) = Self.samples[index]
        let column = Column(type: type, scalars: values)
        func list(_ column: Column) -> [Scalar] { (0..<column.count).map { column.scalar(at: $0) } }
        #expect(list(column.gather([2, 0, 0])) == [values[2], values[0], values[0]])
        #expect(list(column.slice(1..<3)) == Array(values[1...]))
        #expect(list(column.filter(mask: [1, 0, 1], kept: 2)) == [values[0], values[2]])
        let joined = Column.concatenate(
            [column, column.slice(1..<2), Column.defaults(type: type, count: 1)], type: type)
        #expect(list(joined) == values + [values[1], type.defaultScalar])
        let constant = Column.constant(values[1], type: type, count: 4)
        #expect(list(constant.flattened()) == [Scalar](repeating: values[1], count: 4))
    }

    @Test("dictionary columns unfold, and stay dictionaries when joined with their like")
    func dictionaries() {
        let values = Column(type: .string, data: .string(StringData(["x", "yy"])))
        let encoded = DictionaryData(codes: [1, 0, 1], dictionary: ValueDictionary(values: values))
        let column = Column(type: .nullable(.string), data: .dictionary(encoded), nulls: [0, 1, 0])
        #expect(column.scalar(at: 0) == .string(Array("yy".utf8)))
        #expect(column.scalar(at: 1) == .null)
        #expect(column.flattened().scalar(at: 2) == .string(Array("yy".utf8)))
        let joined = Column.concatenate([column, column], type: column.type)
        guard case .dictionary = joined.data else {
            Issue.record("the shared dictionary was lost")
            return
        }
        #expect(joined.count == 6 && joined.isNull(at: 4))
    }
}
