import Columnar

// Values into columns that convert: declared columns, elements of arrays, entries of maps.

extension RowBuilder {
    /// Adds the string `start ..< close` to row `row` of a field of any kind.
    @inline(never)
    func putText(
        _ field: UnsafeMutablePointer<FieldBuilder>, _ start: Int, _ close: Int, _ escaped: Bool, _ row: Int
    ) -> Placement {
        if field.pointee.kind == .string {
            if escaped {
                field.pointee.putEscaped(base, start, close, row)
            } else {
                field.pointee.putBytes(base + start, close - start, row)
            }
            return .exact
        }
        guard escaped else {
            let text = UnsafeRawBufferPointer(start: base + start, count: close - start)
            return field.pointee.putConverted(text, dates: &dates, powers: powers, row)
        }
        if scratch.count < close - start { scratch = [UInt8](repeating: 0, count: close - start) }
        return scratch.withUnsafeMutableBufferPointer { buffer in
            guard let target = buffer.baseAddress else { return .refused }
            let count = JSONText.unescape(base, start, close, to: target)
            let text = UnsafeRawBufferPointer(start: target, count: count)
            return field.pointee.putConverted(text, dates: &dates, powers: powers, row)
        }
    }

    /// Adds the value at `at` to row `row` of a field of any kind, elements and entries included, and steps over it.
    func place(
        _ at: inout Int, _ field: UnsafeMutablePointer<FieldBuilder>, _ row: Int, _ depth: Int
    ) throws(JSONFault) -> Placement {
        guard at < end else { throw JSONFault(.unexpectedEnd, at: end) }
        switch base[at] {
        case UInt8(ascii: "\""):
            var escaped = false
            let start = at + 1
            let close = try JSONText.scan(base, start, end, &escaped)
            guard close >= 0 else { throw JSONFault(.unexpectedEnd, at: end) }
            at = close + 1
            return putText(field, start, close, escaped, row)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            let number = try JSONNumber.scan(base, at, end)
            at = number.end
            return field.pointee.put(number, base, powers: powers, row)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            return try placeNested(&at, field, row, depth)
        case let byte:
            guard let close = try JSONLiteral.scan(base, at, end) else { throw JSONFault(.unexpectedEnd, at: end) }
            at = close
            if byte != UInt8(ascii: "n") { return field.pointee.put(byte == UInt8(ascii: "t"), row) }
            field.pointee.putNull(row)
            return .exact
        }
    }

    private func placeNested(
        _ at: inout Int, _ field: UnsafeMutablePointer<FieldBuilder>, _ row: Int, _ depth: Int
    ) throws(JSONFault) -> Placement {
        let start = at
        // Checked as a whole first: what follows may rely on it, and goes on after it whatever happens.
        try JSONWalk.skipValue(base, &at, end, maxDepth: JSONLimits.maxDepth - depth)
        var inside = start + 1
        let isObject = base[start] == UInt8(ascii: "{")
        switch field.pointee.kind {
        case .string:
            field.pointee.putBytes(base + start, at - start, row)
            return .exact
        case .array where !isObject:
            field.pointee.begin(row)
            let placement = try elements(&inside, field, depth)
            return close(placement, field, row)
        case .map where isObject:
            field.pointee.begin(row)
            let placement = try entries(&inside, field, depth)
            return close(placement, field, row)
        default:
            return .refused
        }
    }

    /// Ends a row of an array or map, or takes back what of it was added.
    private func close(_ placement: Placement, _ field: UnsafeMutablePointer<FieldBuilder>, _ row: Int) -> Placement {
        if placement != .refused {
            field.pointee.putEnd(row)
        } else if let children = field.pointee.children {
            let kept = Int(field.pointee.rowEnd(row))
            children[0].truncate(kept)
            if field.pointee.kind == .map { children[1].truncate(kept) }
        }
        return placement
    }

    private func elements(
        _ at: inout Int, _ field: UnsafeMutablePointer<FieldBuilder>, _ depth: Int
    ) throws(JSONFault) -> Placement {
        guard let child = field.pointee.children else { return .refused }
        var placement = Placement.exact
        while JSONWalk.skip(base, &at, end) != UInt8(ascii: "]") {
            if base[at] == UInt8(ascii: ",") {
                at += 1
                continue
            }
            let one = try place(&at, child, child.pointee.rows, depth + 1)
            if one == .refused { return .refused }
            if one == .rounded { placement = .rounded }
        }
        return placement
    }

    private func entries(
        _ at: inout Int, _ field: UnsafeMutablePointer<FieldBuilder>, _ depth: Int
    ) throws(JSONFault) -> Placement {
        guard let children = field.pointee.children else { return .refused }
        var placement = Placement.exact
        while JSONWalk.skip(base, &at, end) != UInt8(ascii: "}") {
            if base[at] == UInt8(ascii: ",") {
                at += 1
                continue
            }
            let entry = children[0].rows
            let name = try place(&at, children, entry, depth + 1)
            _ = JSONWalk.skip(base, &at, end)
            at += 1
            _ = JSONWalk.skip(base, &at, end)
            let value = try place(&at, children + 1, entry, depth + 1)
            if name == .refused || value == .refused { return .refused }
            if name == .rounded || value == .rounded { placement = .rounded }
        }
        return placement
    }

    /// What kind of column the checked array `start ..< close` goes to; nil when it has no elements.
    func arrayKind(_ start: Int, _ close: Int) -> ValueKind? {
        var kind: ValueKind?
        forEachElement(start, close) { first, last in
            let one: ValueKind
            switch base[first] {
            case UInt8(ascii: "t"), UInt8(ascii: "f"): one = .boolArray
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let number = try? JSONNumber.scan(base, first, last)
                one = number?.int64 != nil ? .integerArray : number?.isInteger == false ? .floatArray : .stringArray
            default: one = .stringArray
            }
            switch (kind, one) {
            case (nil, _): kind = one
            case (.integerArray, .floatArray), (.floatArray, .integerArray): kind = .floatArray
            case (let known, _) where known != one: kind = .stringArray
            default: break
            }
        }
        return kind
    }

    /// Adds the elements of a checked array to an array of strings: strings as they are, anything else as JSON text.
    func putTexts(_ field: UnsafeMutablePointer<FieldBuilder>, _ start: Int, _ close: Int) {
        guard let child = field.pointee.children else { return }
        field.pointee.begin(rowCount)
        forEachElement(start, close) { first, last in
            if base[first] == UInt8(ascii: "\"") {
                let raw = UnsafeRawBufferPointer(start: base + first + 1, count: last - first - 2)
                _ = putText(child, first + 1, last - 1, raw.contains(UInt8(ascii: "\\")), child.pointee.rows)
            } else {
                child.pointee.putBytes(base + first, last - first, child.pointee.rows)
            }
        }
        field.pointee.putEnd(rowCount)
    }

    /// Calls `body` with the bounds of each element of the checked array `start ..< close`.
    private func forEachElement(_ start: Int, _ close: Int, _ body: (Int, Int) -> Void) {
        var at = start + 1
        while JSONWalk.skip(base, &at, close) != UInt8(ascii: "]") {
            if base[at] == UInt8(ascii: ",") {
                at += 1
                continue
            }
            let first = at
            do throws(JSONFault) {
                try JSONWalk.skipValue(base, &at, close, maxDepth: JSONLimits.maxDepth)
            } catch {
                preconditionFailure("BUG: a checked array turned out broken: \(error)")
            }
            body(first, at)
        }
    }
}
