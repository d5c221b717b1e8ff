// The elements of an array at the top level.

extension BodySplitter {
    mutating func stepElement(_ input: inout Input, mayEnd: Bool) -> Bool {
        skipSpace(&input, &line)
        input.consume()
        guard let byte = input.next else { return false }
        if mayEnd && byte == UInt8(ascii: "]") {
            input.at += 1
            input.consume()
            phase = .start
        } else {
            beginRecord(&input)
            phase = .insideElement
        }
        return true
    }

    mutating func stepInsideElement(_ input: inout Input, _ record: (UnsafeRawBufferPointer) -> Void) -> Bool {
        var at = checked
        do throws(JSONFault) {
            let available = input.end - input.start
            let isComplete = try structure.advance(input.base + input.start, &at, available, isLast: input.isLast)
            checked = at
            if isComplete {
                take(input.bytes(at), record)
                line = recordLine + structure.lines
                input.at = input.start + at
                input.consume()
                phase = .afterElement
                return true
            }
            guard available > maxRecordBytes else { return false }
            rejections.append(line: recordLine, reason: tooLong)
        } catch {
            rejections.append(line: recordLine, reason: "\(error.description) of the array's element")
        }
        input.at = input.start
        line = recordLine
        brackets = BracketScanner()
        phase = .skipElement
        return true
    }

    private mutating func take(_ element: UnsafeRawBufferPointer, _ record: (UnsafeRawBufferPointer) -> Void) {
        if element[0] != UInt8(ascii: "{") {
            rejections.append(line: recordLine, reason: Self.kind(element[0]))
        } else if element.count > maxRecordBytes {
            rejections.append(line: recordLine, reason: tooLong)
        } else {
            accepted += 1
            record(element)
        }
    }

    mutating func stepAfterElement(_ input: inout Input) -> Bool {
        skipSpace(&input, &line)
        input.consume()
        guard let byte = input.next else { return false }
        switch byte {
        case UInt8(ascii: ","):
            phase = .element(mayEnd: false)
        case UInt8(ascii: "]"):
            phase = .start
        default:
            rejections.append(line: line, reason: "a comma or closing bracket is missing between array elements")
            brackets = BracketScanner()
            phase = .skipElement
            return true
        }
        input.at += 1
        input.consume()
        return true
    }

    mutating func stepSkipElement(_ input: inout Input) -> Bool {
        let stop = brackets.skipElement(input.base, &input.at, input.end, lines: &line)
        input.consume()
        guard stop == .found else { return false }
        phase = .afterElement
        return true
    }
}
