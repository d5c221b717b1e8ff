// Values at the top level: NDJSON, one object, objects end to end.

extension BodySplitter {
    mutating func stepStart(_ input: inout Input) -> Bool {
        skipSpace(&input, &line)
        input.consume()
        guard let byte = input.next else { return false }
        if byte == UInt8(ascii: "[") && mayBeginArray {
            input.at += 1
            input.consume()
            phase = .element(mayEnd: true)
        } else {
            mayBeginArray = false
            beginRecord(&input)
            phase = .value
        }
        return true
    }

    mutating func stepValue(_ input: inout Input) -> Bool {
        var at = checked
        do throws(JSONFault) {
            let available = input.end - input.start
            let isComplete = try structure.advance(input.base + input.start, &at, available, isLast: input.isLast)
            checked = at
            if isComplete {
                length = at
                phase = .afterValue
                return true
            }
            guard available > maxRecordBytes else { return false }
            refuseTooLong(&input)
        } catch {
            refuse(error, &input)
        }
        return true
    }

    /// The value is complete; it counts unless something else follows in its line.
    mutating func stepAfterValue(_ input: inout Input, _ record: (UnsafeRawBufferPointer) -> Void) -> Bool {
        input.at = input.start + length
        while let byte = input.next, byte == 0x20 || byte == 0x09 || byte == 0x0d { input.at += 1 }
        let next = input.next
        if next == nil && !input.isLast { return false }
        line = recordLine + structure.lines
        let first = input.base[input.start]
        if let next, next != 0x0a && next != UInt8(ascii: "{") {
            let fault = JSONFault(.trailingBytes, at: input.at - input.start)
            rejections.append(line: recordLine, reason: fault.description)
            phase = .skipLine(absorbs: false)
        } else if first != UInt8(ascii: "{") {
            rejections.append(line: recordLine, reason: Self.kind(first))
            phase = .start
        } else if length > maxRecordBytes {
            rejections.append(line: recordLine, reason: tooLong)
            phase = .start
        } else {
            accepted += 1
            record(input.bytes(length))
            phase = .start
        }
        input.consume()
        return true
    }

    mutating func stepSkipLine(_ input: inout Input, absorbs: Bool) -> Bool {
        while let byte = input.next {
            if byte == 0x0a {
                phase = absorbs ? .absorb : .start
                break
            }
            input.at += 1
        }
        input.consume()
        return input.at < input.end
    }

    mutating func stepAbsorb(_ input: inout Input) -> Bool {
        input.consume()
        switch input.next {
        case nil: return false
        case 0x0a:
            input.at += 1
            line += 1
        case 0x20, 0x09, 0x0d, UInt8(ascii: "}"), UInt8(ascii: "]"): phase = .skipLine(absorbs: true)
        default: phase = .start
        }
        return true
    }

    mutating func stepSkipObject(_ input: inout Input, staysInLine: Bool) -> Bool {
        let stop = brackets.skipObject(input.base, &input.at, input.end, lines: &line, staysInLine: staysInLine)
        input.consume()
        guard stop == .found else { return false }
        phase = .start
        return true
    }

    /// Refuses the record that begins at `input.start` for `fault`.
    private mutating func refuse(_ fault: JSONFault, _ input: inout Input) {
        let passed = structure.lines
        guard passed > 0 else {
            rejections.append(line: recordLine, reason: fault.description)
            input.at = min(input.start + fault.position, input.end)
            phase = .skipLine(absorbs: false)
            return
        }
        rejections.append(
            line: recordLine, reason: "\(fault.description) of the value, in its line \(passed + 1)"
        )
        var at = input.start
        while at < input.end && input.base[at] != 0x0a { at += 1 }
        input.at = min(at + 1, input.end)
        line = recordLine + 1
        phase = .absorb
    }

    private mutating func refuseTooLong(_ input: inout Input) {
        let isObject = input.base[input.start] == UInt8(ascii: "{")
        rejections.append(line: recordLine, reason: isObject ? tooLong : Self.kind(input.base[input.start]))
        input.at = input.start
        brackets = BracketScanner()
        line = recordLine
        phase = isObject ? .skipObject(staysInLine: structure.lines == 0) : .skipLine(absorbs: false)
    }
}
