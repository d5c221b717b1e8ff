import Columnar

/// What a value of JSON is, as far as the choice of its column goes.
enum ValueKind: Int {
    case bool
    case integer
    case float
    case string
    case boolArray
    case integerArray
    case floatArray
    /// Strings, or elements of several kinds (then as JSON text).
    case stringArray
    /// The text of a value whose own column cannot hold it.
    case text
    case object

    /// How many there are.
    static let count = 10

    /// The column that a value of this kind makes for itself.
    var type: DataType {
        switch self {
        case .bool: .nullable(.bool)
        case .integer: .nullable(.int64)
        case .float: .nullable(.float64)
        case .string, .text, .object: .nullable(.string)
        case .boolArray: .array(.bool)
        case .integerArray: .array(.int64)
        case .floatArray: .array(.float64)
        case .stringArray: .array(.string)
        }
    }

    /// What is put after the name of a column that holds something else: `<name>_<type>`.
    var suffix: String {
        switch self {
        case .bool: "bool"
        case .integer: "int64"
        case .float: "float64"
        case .string, .text, .object: "string"
        case .boolArray: "array_bool"
        case .integerArray: "array_int64"
        case .floatArray: "array_float64"
        case .stringArray: "array_string"
        }
    }

    /// Whether an inferred column of `type` takes values of this kind as they are.
    func fits(_ type: DataType) -> Bool {
        if case .array(let element) = type {
            switch (self, element) {
            case (.boolArray, .bool), (.integerArray, .int64), (.integerArray, .float64), (.floatArray, .float64),
                (.stringArray, .string):
                return true
            default: return false
            }
        }
        switch (self, type.base) {
        case (.bool, .bool), (.integer, .int64), (.integer, .float64), (.float, .float64), (.string, .string),
            (.text, .string):
            return true
        case (.integer, .dateTime64), (.float, .dateTime64), (.string, .dateTime64): return true
        default: return false
        }
    }

    /// Whether an inferred column of integers becomes one of floats for values of this kind.
    func widens(_ type: DataType) -> Bool {
        switch (self, type) {
        case (.float, .nullable(.int64)), (.floatArray, .array(.int64)): true
        default: false
        }
    }
}
