import Columnar

// One record: its objects and names, and where each value goes.

extension RowBuilder {
    /// Parses the record at `base ..< base + end` into row `rowCount`.
    func parseRecord() throws(JSONFault) {
        var at = 0
        guard JSONWalk.skip(base, &at, end) == UInt8(ascii: "{") else {
            // Broken or merely no object: the sender wants to know which.
            try JSON.validate(UnsafeRawBufferPointer(start: base, count: end))
            throw JSONFault(.notAnObject, at: at)
        }
        at += 1
        ordinal = 0
        try object(&at, PathTable.root, depth: 1)
        _ = JSONWalk.skip(base, &at, end)
        guard at == end else { throw JSONFault(.trailingBytes, at: at) }
    }

    private func unexpected(_ at: Int) -> JSONFault {
        at >= end ? JSONFault(.unexpectedEnd, at: end) : JSONFault(.unexpectedByte, at: at)
    }

    /// Parses an object from after its opening bracket to after its closing one.
    private func object(_ at: inout Int, _ parent: Int32, depth: Int) throws(JSONFault) {
        var byte = JSONWalk.skip(base, &at, end)
        if byte == UInt8(ascii: "}") {
            at &+= 1
            return
        }
        while true {
            guard byte == UInt8(ascii: "\"") else { throw unexpected(at) }
            let start = at
            let node = try name(&at, parent)
            let nameEnd = at
            guard JSONWalk.skip(base, &at, end) == UInt8(ascii: ":") else { throw unexpected(at) }
            at &+= 1
            byte = JSONWalk.skip(base, &at, end)
            guard at < end else { throw unexpected(at) }
            if node >= 0 {
                try value(&at, byte, node, depth)
            } else {
                try nameless(&at, parent, start, nameEnd, depth)
            }
            byte = JSONWalk.skip(base, &at, end)
            guard byte == UInt8(ascii: ",") else { break }
            at &+= 1
            byte = JSONWalk.skip(base, &at, end)
        }
        guard byte == UInt8(ascii: "}") else { throw unexpected(at) }
        at &+= 1
    }

    /// Steps over a name and its quotes; the path it leads to, -1 when there are too many paths to remember it.
    @inline(__always)
    private func name(_ at: inout Int, _ parent: Int32) throws(JSONFault) -> Int32 {
        let place = ordinal
        ordinal &+= 1
        if place < order.count {
            let guess = order[place]
            let node = paths.nodes + Int(guess)
            let count = Int(node.pointee.keyCount)
            if node.pointee.parent == parent && node.pointee.isPlain && at &+ 1 &+ count < end
                && base[at &+ 1 &+ count] == UInt8(ascii: "\"")
                && PathTable.equal(base + (at &+ 1), node.pointee.key, count)
            {
                at &+= count &+ 2
                return guess
            }
        }
        return try nameByHash(&at, parent, place)
    }

    @inline(never)
    private func nameByHash(_ at: inout Int, _ parent: Int32, _ place: Int) throws(JSONFault) -> Int32 {
        var escaped = false
        let start = at + 1
        let close = try JSONText.scan(base, start, end, &escaped)
        guard close >= 0 else { throw JSONFault(.unexpectedEnd, at: end) }
        at = close + 1
        var node: Int32
        if escaped {
            let plain = unescaped(start, close)
            node = plain.withUnsafeBufferPointer { key in
                guard let first = key.baseAddress else { return -1 }
                let found = paths.find(parent, first, key.count)
                return found >= 0 ? found : addPath(parent, first, key.count)
            }
        } else {
            node = paths.find(parent, base + start, close - start)
            if node < 0 { node = addPath(parent, base + start, close - start) }
        }
        if node >= 0 {
            if place < order.count { order[place] = node } else if place == order.count { order.append(node) }
        } else {
            ordinal = place
        }
        return node
    }

    private func unescaped(_ start: Int, _ close: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: close - start) { buffer, filled in
            guard let target = buffer.baseAddress else { return }
            filled = JSONText.unescape(base, start, close, to: target)
        }
    }

    /// A value whose name is one too many to remember: into the map, under its path.
    private func nameless(
        _ at: inout Int, _ parent: Int32, _ start: Int, _ nameEnd: Int, _ depth: Int
    ) throws(JSONFault) {
        let valueStart = at
        try JSONWalk.skipValue(base, &at, end, maxDepth: JSONLimits.maxDepth - depth)
        if isNull(valueStart, at) { return }
        let above = paths.nodes[Int(parent)]
        var path = Array(UnsafeBufferPointer(start: above.path, count: Int(above.pathCount)))
        if parent != PathTable.root { path.append(UInt8(ascii: ".")) }
        path += unescaped(start + 1, nameEnd - 1)
        path.withUnsafeBufferPointer { putRest($0, valueStart, at) }
    }

    private func isNull(_ start: Int, _ close: Int) -> Bool { close - start == 4 && base[start] == UInt8(ascii: "n") }

    /// Puts the JSON text `start ..< close` into the map column.
    private func putRest(_ key: UnsafeBufferPointer<UInt8>, _ start: Int, _ close: Int) {
        let field = fields + Int(restTarget())
        guard let children = field.pointee.children else { return }
        let entry = children[0].rows
        if field.pointee.rows < rowCount { field.pointee.fill(rowCount) }
        children[0].putBytes(key.baseAddress ?? base, key.count, entry)
        children[1].putBytes(base + start, close - start, entry)
        field.pointee.extendMap(rowCount)
    }

    private func putRest(_ node: Int32, _ start: Int, _ close: Int) {
        let found = paths.nodes[Int(node)]
        putRest(UnsafeBufferPointer(start: found.path, count: Int(found.pathCount)), start, close)
    }

    /// Parses the value at `at`, whose first byte is `byte`.
    @inline(__always)
    private func value(_ at: inout Int, _ byte: UInt8, _ node: Int32, _ depth: Int) throws(JSONFault) {
        switch byte {
        case UInt8(ascii: "\""): try string(&at, node)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): try number(&at, node)
        default: try otherValue(&at, byte, node, depth)
        }
    }

    @inline(__always)
    private func string(_ at: inout Int, _ node: Int32) throws(JSONFault) {
        var escaped = false
        let start = at &+ 1
        let close = try JSONText.scan(base, start, end, &escaped)
        guard close >= 0 else { throw JSONFault(.unexpectedEnd, at: end) }
        at = close &+ 1
        let index = target(node, .string)
        guard index >= 0 else { return putRest(node, start &- 1, at) }
        let field = fields + Int(index)
        if field.pointee.kind == .string && !escaped {
            field.pointee.putBytes(base + start, close &- start, rowCount)
        } else if putText(field, start, close, escaped, rowCount) != .exact {
            putSide(node, start, close, escaped: escaped)
        }
    }

    @inline(__always)
    private func number(_ at: inout Int, _ node: Int32) throws(JSONFault) {
        let number = try JSONNumber.scan(base, at, end)
        at = number.end
        let index = target(node, number.isInteger ? .integer : .float)
        guard index >= 0 else { return putRest(node, number.start, number.end) }
        if (fields + Int(index)).pointee.put(number, base, powers: powers, rowCount) != .exact {
            putSide(node, number.start, number.end, escaped: false)
        }
    }

    @inline(never)
    private func otherValue(_ at: inout Int, _ byte: UInt8, _ node: Int32, _ depth: Int) throws(JSONFault) {
        switch byte {
        case UInt8(ascii: "{"): try nested(&at, node, depth)
        case UInt8(ascii: "["): try array(&at, node, depth)
        default:
            let start = at
            guard let close = try JSONLiteral.scan(base, at, end) else { throw JSONFault(.unexpectedEnd, at: end) }
            at = close
            if byte == UInt8(ascii: "n") { return putNull(node) }
            let index = target(node, .bool)
            guard index >= 0 else { return putRest(node, start, close) }
            if fields[Int(index)].put(byte == UInt8(ascii: "t"), rowCount) != .exact {
                putSide(node, start, close, escaped: false)
            }
        }
    }

    /// A null counts only where something else would stand without it.
    private func putNull(_ node: Int32) {
        let declared = paths.nodes[Int(node)].declared
        if declared >= 0 && fields[Int(declared)].defaultValue != nil { fields[Int(declared)].putNull(rowCount) }
    }

    private func nested(_ at: inout Int, _ node: Int32, _ depth: Int) throws(JSONFault) {
        guard depth < JSONLimits.maxDepth else { throw JSONFault(.tooDeep, at: at) }
        let index = target(node, .object)
        guard index >= 0 else {
            at += 1
            return try object(&at, node, depth: depth + 1)
        }
        try convert(&at, index, node, depth)
    }

    /// An array: into the column of its name if that converts, else into one chosen by its elements.
    private func array(_ at: inout Int, _ node: Int32, _ depth: Int) throws(JSONFault) {
        let declared = paths.nodes[Int(node)].declared
        if declared >= 0 { return try convert(&at, declared, node, depth) }
        let start = at
        try JSONWalk.skipValue(base, &at, end, maxDepth: JSONLimits.maxDepth - depth)
        guard let kind = arrayKind(start, at) else { return }
        let index = target(node, kind)
        guard index >= 0 else { return putRest(node, start, at) }
        if kind == .stringArray && !isConverting(index) {
            putTexts(fields + Int(index), start, at)
        } else {
            var inside = start
            if try place(&inside, fields + Int(index), rowCount, depth) != .exact {
                putSide(node, start, at, escaped: false)
            }
        }
    }

    /// Puts the value at `at` into a column that converts.
    private func convert(_ at: inout Int, _ index: Int32, _ node: Int32, _ depth: Int) throws(JSONFault) {
        let start = at
        if try place(&at, fields + Int(index), rowCount, depth) != .exact {
            putSide(node, start, at, escaped: false)
        }
    }

    /// Keeps the text of a value that its column could not hold as it is.
    @inline(never)
    private func putSide(_ node: Int32, _ start: Int, _ close: Int, escaped: Bool) {
        let index = target(node, .text)
        guard index >= 0 else {
            let isString =
                start > 0 && base[start - 1] == UInt8(ascii: "\"") && close < end
                && base[close] == UInt8(ascii: "\"")
            return putRest(node, isString ? start - 1 : start, isString ? close + 1 : close)
        }
        _ = putText(fields + Int(index), start, close, escaped, rowCount)
    }
}
