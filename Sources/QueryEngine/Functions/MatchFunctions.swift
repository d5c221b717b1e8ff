import Columnar

/// `like`, `ilike`, `notLike`, `notILike`, `match`.
struct MatchFunction: ScalarFunction {
    enum Kind: Sendable { case like, ilike, match }

    let name: String
    let kind: Kind
    let isNegated: Bool
    /// The constant pattern, compiled.
    var matcher: LikeMatcher?

    static let all: [any ScalarFunction] = [
        MatchFunction(name: "like", kind: .like, isNegated: false),
        MatchFunction(name: "notLike", kind: .like, isNegated: true),
        MatchFunction(name: "ilike", kind: .ilike, isNegated: false),
        MatchFunction(name: "notILike", kind: .ilike, isNegated: true),
        MatchFunction(name: "match", kind: .match, isNegated: false),
    ]

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, 2...2)
        for index in 0..<2 where arguments[index].type.base != .string && !(index == 0 && arguments[0].type.isEnum) {
            throw illegalArgument(name, index, arguments[index].type, expected: "String")
        }
        return .uint8
    }

    func prepared(_ arguments: [FunctionArgument], type: DataType) throws(QueryError) -> any ScalarFunction {
        guard let pattern = arguments[1].constantBytes else { return self }
        var copy = self
        copy.matcher = try compile(pattern)
        return copy
    }

    private func compile(_ pattern: [UInt8]) throws(QueryError) -> LikeMatcher {
        kind == .match ? .regex(try RegularExpression(pattern)) : try LikeMatcher(pattern, ignoresCase: kind == .ilike)
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        let text = ValueText.strings(arguments[0])
        if let matcher { return Column(type: type, data: .uint8(flipped(mask(text, matcher)))) }
        // A pattern a row: neighbours are often the same.
        let patterns = arguments[1].strings
        var last: (pattern: ArraySlice<UInt8>, matcher: LikeMatcher)?
        var result: [UInt8] = []
        result.reserveCapacity(rowCount)
        for row in 0..<rowCount {
            let pattern = patterns[row]
            let matcher: LikeMatcher
            if let last, last.pattern == pattern {
                matcher = last.matcher
            } else {
                matcher = try compile(Array(pattern))
            }
            last = (pattern, matcher)
            result.append(mask(text.sliced(row..<row + 1), matcher)[0])
        }
        return Column(type: type, data: .uint8(flipped(result)))
    }

    private func mask(_ text: StringData, _ matcher: LikeMatcher) -> [UInt8] {
        if case .regex = matcher { return matcher.mask(text) }
        return matcher.mask(kind == .ilike ? text.lowercasedASCII() : text)
    }

    private func flipped(_ mask: [UInt8]) -> [UInt8] { isNegated ? mapValues(mask) { $0 ^ 1 } : mask }
}

/// A function of text and a constant regular expression.
struct RegexFunction: ScalarFunction {
    typealias Body = @Sendable (StringData, RegularExpression, [Column]) throws(QueryError) -> Column

    let name: String
    let arity: ClosedRange<Int>
    let type: DataType
    let body: Body
    var expression: RegularExpression?

    init(_ name: String, _ arity: ClosedRange<Int>, _ type: DataType, body: @escaping Body) {
        self.name = name
        self.arity = arity
        self.type = type
        self.body = body
    }

    func resultType(_ arguments: [FunctionArgument]) throws(QueryError) -> DataType {
        try checkArity(name, arguments.count, arity)
        guard arguments[0].type.base == .string else {
            throw illegalArgument(name, 0, arguments[0].type, expected: "String")
        }
        guard arguments[1].constantBytes != nil else {
            throw illegalArgument(name, 1, arguments[1].type, expected: "a constant pattern")
        }
        return type
    }

    func prepared(_ arguments: [FunctionArgument], type: DataType) throws(QueryError) -> any ScalarFunction {
        var copy = self
        if let pattern = arguments[1].constantBytes { copy.expression = try RegularExpression(pattern) }
        return copy
    }

    func evaluate(
        _ arguments: [Column], type: DataType, rowCount: Int, context: EvaluationContext
    ) throws(QueryError) -> Column {
        guard let expression else { preconditionFailure("BUG: a pattern was not prepared") }
        return try body(arguments[0].strings, expression, arguments).withType(type)
    }
}

enum RegexFunctions {
    static let all: [any ScalarFunction] = [
        RegexFunction("extract", 2...2, .string) { (rows, expression, _) throws(QueryError) in
            let group = min(1, expression.groupCount)
            return strings(
                rows.mapStrings { text, out in
                    guard let spans = expression.find(text, groups: group), let span = spans[group] else { return }
                    out.append(contentsOf: text[span])
                })
        },
        RegexFunction("extractAll", 2...2, .array(.string)) { (rows, expression, _) throws(QueryError) in
            let group = min(1, expression.groupCount)
            return rows.mapLists { text, list in
                expression.forEachMatch(text, groups: group) { spans in
                    if let span = spans[group] { list.append(text[span]) } else { list.append([]) }
                }
            }
        },
        RegexFunction("extractGroups", 2...2, .array(.string)) { (rows, expression, _) throws(QueryError) in
            let groups = expression.groupCount
            return rows.mapLists { text, list in
                guard let spans = expression.find(text, groups: groups) else { return }
                for span in spans.dropFirst() {
                    if let span { list.append(text[span]) } else { list.append([]) }
                }
            }
        },
        RegexFunction("regexpExtract", 2...3, .string) { (rows, expression, columns) throws(QueryError) in
            let index = columns.count > 2 ? columns[2].constantScalar?.asInteger ?? 1 : 1
            guard index >= 0, index <= Int64(expression.groupCount) || index == 1 else {
                throw QueryError(.badArguments, "The expression has \(expression.groupCount) groups, not \(index)")
            }
            let group = min(Int(index), expression.groupCount)
            return strings(
                rows.mapStrings { text, out in
                    guard let spans = expression.find(text, groups: group), let span = spans[group] else { return }
                    out.append(contentsOf: text[span])
                })
        },
        RegexFunction("countMatches", 2...2, .uint64) { (rows, expression, _) throws(QueryError) in
            Column(
                type: .uint64,
                data: .uint64(
                    rows.map { text in
                        var count: UInt64 = 0
                        expression.forEachMatch(text, groups: 0) { spans in
                            if spans[0]?.isEmpty == false { count += 1 }
                        }
                        return count
                    }))
        },
        replacement("replaceRegexpOne", isAll: false), replacement("replaceRegexpAll", isAll: true),
        RegexFunction("splitByRegexp", 2...2, .array(.string)) { (rows, expression, _) throws(QueryError) in
            rows.mapLists { text, list in
                var start = 0
                expression.forEachMatch(text, groups: 0) { spans in
                    guard let span = spans[0], !span.isEmpty else { return }
                    list.append(text[start..<span.lowerBound])
                    start = span.upperBound
                }
                list.append(text[start...])
            }
        },
    ]

    private static func strings(_ data: StringData) -> Column { Column(type: .string, data: .string(data)) }

    private static func replacement(_ name: String, isAll: Bool) -> any ScalarFunction {
        RegexFunction(name, 3...3, .string) { (rows, expression, columns) throws(QueryError) in
            let texts = columns[2].constantBytes.map { [$0] }
            let replacements = texts == nil ? columns[2].strings : StringData()
            var row = 0
            let constant = try texts.map { (texts) throws(QueryError) in
                try Template(texts[0], groups: expression.groupCount)
            }
            var failure: QueryError?
            let result = rows.mapStrings { text, out in
                defer { row += 1 }
                let template: Template
                if let constant {
                    template = constant
                } else {
                    do throws(QueryError) {
                        template = try Template(Array(replacements[row]), groups: expression.groupCount)
                    } catch {
                        failure = error
                        return
                    }
                }
                replace(text, expression, template, isAll: isAll, to: &out)
            }
            if let failure { throw failure }
            return strings(result)
        }
    }

    private static func replace(
        _ text: UnsafeRawBufferPointer, _ expression: RegularExpression, _ template: Template, isAll: Bool,
        to out: inout [UInt8]
    ) {
        var start = 0
        var from = 0
        while from <= text.count, let spans = expression.find(text, from: from, groups: template.groups),
            let whole = spans[0]
        {
            // An empty match only counts where one is all there is to replace.
            if whole.isEmpty, isAll {
                from = whole.upperBound + 1
                continue
            }
            out.append(contentsOf: text[start..<whole.lowerBound])
            for part in template.parts {
                switch part {
                case .text(let bytes): out.append(contentsOf: bytes)
                case .group(let index): if let span = spans[index] { out.append(contentsOf: text[span]) }
                }
            }
            start = whole.upperBound
            from = max(whole.upperBound, from + (whole.isEmpty ? 1 : 0))
            if !isAll { break }
        }
        out.append(contentsOf: text[start...])
    }

    /// What a match is replaced by: text with `\0` to `\9` for its groups.
    private struct Template {
        enum Part { case text([UInt8]), group(Int) }
        var parts: [Part] = []
        var groups = 0

        init(_ bytes: [UInt8], groups count: Int) throws(QueryError) {
            var text: [UInt8] = []
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                guard byte == 0x5C, index < bytes.count else {
                    text.append(byte)
                    continue
                }
                let next = bytes[index]
                index += 1
                guard next >= 0x30, next <= 0x39 else {
                    text.append(next)
                    continue
                }
                let group = Int(next - 0x30)
                guard group <= count else {
                    throw QueryError(.badArguments, "The replacement names group \(group), the expression has \(count)")
                }
                if !text.isEmpty { parts.append(.text(text)) }
                text = []
                parts.append(.group(group))
                groups = max(groups, group)
            }
            if !text.isEmpty { parts.append(.text(text)) }
        }
    }
}
