import Columnar

extension Expression {
    /// The name ClickHouse gives a column without alias: `plus(a, 1)`, `count()`, `quantile(0.5)(x)`.
    var columnName: String {
        if let alias { return alias }
        switch kind {
        case .literal(let literal): return literal.text
        case .identifier(let parts): return parts.joined(separator: ".")
        case .asterisk(let qualifier): return qualifier.map { "\($0).*" } ?? "*"
        case .function(let name, let parameters, let arguments, let isDistinct):
            return Self.functionName(name, parameters, arguments, isDistinct)
        case .lambda(let parameters, let body):
            return "lambda(tuple(\(parameters.joined(separator: ", "))), \(body.columnName))"
        case .subquery: return "_subquery"
        case .parameter(let name, let type): return "{\(name):\(type)}"
        }
    }

    private static func functionName(
        _ name: String, _ parameters: [Expression], _ arguments: [Expression], _ isDistinct: Bool
    ) -> String {
        var inner = arguments.map(\.columnName).joined(separator: ", ")
        if arguments.count == 1, case .asterisk(nil) = arguments[0].kind, name.lowercased() == "count" { inner = "" }
        switch name {
        case "array": return "[\(inner)]"
        case "tuple": return "(\(inner))"
        default: break
        }
        let own = isDistinct ? name + "Distinct" : name
        let given = parameters.isEmpty ? "" : "(\(parameters.map(\.columnName).joined(separator: ", ")))"
        return "\(own)\(given)(\(inner))"
    }

    /// A text that is equal for expressions that mean the same once names are resolved.
    var key: String {
        var text = ""
        appendKey(to: &text)
        return text
    }

    private func appendKey(to text: inout String) {
        switch kind {
        case .literal(let literal): text += literal.text
        case .identifier(let parts): text += "`\(parts.joined(separator: "."))`"
        case .asterisk: text += "*"
        case .function(let name, let parameters, let arguments, let isDistinct):
            text += name
            if !parameters.isEmpty {
                text += "["
                for parameter in parameters {
                    parameter.appendKey(to: &text)
                    text += ","
                }
                text += "]"
            }
            text += isDistinct ? "(distinct " : "("
            for argument in arguments {
                argument.appendKey(to: &text)
                text += ","
            }
            text += ")"
        case .lambda(let parameters, let body):
            text += "\(parameters.joined(separator: ","))->"
            body.appendKey(to: &text)
        case .subquery: text += "subquery@\(start)"
        case .parameter(let name, _): text += "{\(name)}"
        }
    }
}

extension Expression.Literal {
    /// The literal as ClickHouse writes it.
    var text: String {
        switch self {
        case .null: return "NULL"
        case .bool(let value): return value ? "true" : "false"
        case .unsigned(let value): return String(value)
        case .signed(let value): return String(value)
        case .float(let value):
            var bytes: [UInt8] = []
            ValueText.append(double: value, to: &bytes)
            let text = String(decoding: bytes, as: UTF8.self)
            return text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || ($0 >= 48 && $0 <= 57) } ? text + "." : text
        case .string(let bytes):
            var text = "'"
            for character in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                switch character {
                case "'": text += "\\'"
                case "\\": text += "\\\\"
                case "\n": text += "\\n"
                case "\t": text += "\\t"
                default: text.unicodeScalars.append(character)
                }
            }
            return text + "'"
        }
    }
}
