/// Cuts the body of an ingest request into records, in pieces as they come in.
///
/// A body is a stream of JSON objects or arrays of them: NDJSON, one object over several lines, objects end to end
/// with nothing between, one big array. Nobody has to say which. Each record is checked in full; a bad one is
/// refused by line and reason, and the rest goes on:
///
/// - in NDJSON a bad line is refused as a whole, the next line starts afresh;
/// - in an array a bad element is skipped up to the comma after it;
/// - an object that breaks off after several lines is refused, with the lines after it that look like its
///   continuation (indented, or beginning with a closing bracket).
///
/// Blank lines, CR LF and a byte order mark are skipped. Memory: one unfinished record, at most `maxRecordBytes`
/// and one piece.
public struct BodySplitter: Sendable {
    enum Phase {
        /// Before a value at the top level, where an array may begin.
        case start
        /// Inside a value at the top level, which begins at the first kept byte.
        case value
        /// After a value at the top level: what follows in the line decides about it.
        case afterValue
        /// Refused; the rest of the line is skipped. `absorbs`: then go on in `absorb`.
        case skipLine(absorbs: Bool)
        /// Refused after several lines; at the start of a line that may belong to it.
        case absorb
        /// Too long; skipped to its closing bracket.
        case skipObject(staysInLine: Bool)
        /// In an array, before an element; `mayEnd` right after the opening bracket.
        case element(mayEnd: Bool)
        /// In an element, which begins at the first kept byte.
        case insideElement
        /// After an element.
        case afterElement
        /// A bad element, skipped to the comma or bracket after it.
        case skipElement
    }

    /// The longest record taken, in bytes.
    public let maxRecordBytes: Int
    /// How many records came out so far.
    public internal(set) var accepted = 0
    /// What was refused so far.
    public internal(set) var rejections = Rejections()

    var phase = Phase.start
    var structure = JSONStructure()
    var brackets = BracketScanner()
    /// The line that is being read, counted from 1.
    var line = 1
    /// The line the unfinished record begins in.
    var recordLine = 1
    /// How far the unfinished record has been checked, from its first byte.
    var checked = 0
    /// How long the unfinished value is once complete (in `afterValue`).
    var length = 0

    /// False once an object came: from there on the body is values, and an array among them is a bad one.
    var mayBeginArray = true

    private var isFirst = true
    private var kept: [UInt8] = []
    /// Kept bytes before which trying again is no use: a long string that comes drop by drop must not be looked at
    /// from its start for every drop.
    private var retryAt = 0

    /// Creates a splitter that refuses records longer than `maxRecordBytes`.
    public init(maxRecordBytes: Int = 1 << 20) {
        self.maxRecordBytes = maxRecordBytes
    }

    /// Takes the next piece of the body, of any length, and gives each record that is complete to `record`. The
    /// bytes given are valid only during that call.
    public mutating func feed(_ piece: UnsafeRawBufferPointer, _ record: (UnsafeRawBufferPointer) -> Void) {
        var rest = piece
        while !rest.isEmpty {
            if kept.isEmpty && !isFirst {
                let consumed = process(rest, isLast: false, record)
                kept.append(contentsOf: rest[consumed...])
                setRetry()
                return
            }
            let taken = min(rest.count, 1 << 16)
            kept.append(contentsOf: rest[..<taken])
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            processKept(isLast: false, record)
        }
    }

    /// Says that the body is complete; the last record needs no line feed.
    public mutating func finish(_ record: (UnsafeRawBufferPointer) -> Void) {
        processKept(isLast: true, record)
        kept = []
        switch phase {
        case .element, .insideElement, .afterElement, .skipElement:
            rejections.append(line: line, reason: "the body ends inside an array: its closing bracket is missing")
        default: break
        }
    }

    private mutating func processKept(isLast: Bool, _ record: (UnsafeRawBufferPointer) -> Void) {
        if isFirst && !takeByteOrderMark(isLast: isLast) { return }
        guard isLast || kept.count >= retryAt else { return }
        // Taken out of `self` so that the bytes stay put while `self` changes.
        var bytes: [UInt8] = []
        swap(&bytes, &kept)
        let consumed = bytes.withUnsafeBytes { process($0, isLast: isLast, record) }
        bytes.removeFirst(consumed)
        swap(&bytes, &kept)
        setRetry()
    }

    private mutating func setRetry() { retryAt = kept.count + max(0, kept.count - checked) / 4 }

    /// Drops a UTF-8 byte order mark; false while there are too few bytes to tell.
    private mutating func takeByteOrderMark(isLast: Bool) -> Bool {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        if kept.count < 3 && !isLast && kept.elementsEqual(mark[..<kept.count]) { return false }
        if kept.starts(with: mark) { kept.removeFirst(3) }
        isFirst = false
        return true
    }

    /// Works through `bytes`, which begin with the unfinished record if there is one. Returns how many are done with.
    private mutating func process(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, _ record: (UnsafeRawBufferPointer) -> Void
    ) -> Int {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return 0 }
        var input = Input(
            base: start.assumingMemoryBound(to: UInt8.self), end: bytes.count, isLast: isLast, start: 0, at: 0
        )
        while step(&input, record) {}
        return input.start
    }

    /// Goes on by one phase; false when the bytes are used up.
    private mutating func step(_ input: inout Input, _ record: (UnsafeRawBufferPointer) -> Void) -> Bool {
        switch phase {
        case .start: return stepStart(&input)
        case .value: return stepValue(&input)
        case .afterValue: return stepAfterValue(&input, record)
        case .skipLine(let absorbs): return stepSkipLine(&input, absorbs: absorbs)
        case .absorb: return stepAbsorb(&input)
        case .skipObject(let staysInLine): return stepSkipObject(&input, staysInLine: staysInLine)
        case .element(let mayEnd): return stepElement(&input, mayEnd: mayEnd)
        case .insideElement: return stepInsideElement(&input, record)
        case .afterElement: return stepAfterElement(&input)
        case .skipElement: return stepSkipElement(&input)
        }
    }
}

extension BodySplitter {
    /// The bytes at hand and where the work stands in them.
    struct Input {
        let base: UnsafePointer<UInt8>
        let end: Int
        let isLast: Bool
        /// Bytes before this are done with; the unfinished record begins here.
        var start: Int
        /// Where to go on.
        var at: Int

        /// The byte to look at next; nil at the end.
        var next: UInt8? { at < end ? base[at] : nil }

        /// Says that everything before `at` is done with.
        mutating func consume() { start = at }

        func bytes(_ count: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: base + start, count: count)
        }
    }

    /// Skips white space, counting lines.
    func skipSpace(_ input: inout Input, _ line: inout Int) {
        while input.at < input.end {
            switch input.base[input.at] {
            case 0x0a: line += 1
            case 0x20, 0x09, 0x0d: break
            default: return
            }
            input.at += 1
        }
    }

    /// Begins a record at the byte to look at next.
    mutating func beginRecord(_ input: inout Input) {
        input.consume()
        structure = JSONStructure()
        recordLine = line
        checked = 0
    }

    /// What a value that is no object is, for the reason given to the sender.
    static func kind(_ first: UInt8) -> String {
        switch first {
        case UInt8(ascii: "["): "an array where an object belongs"
        case UInt8(ascii: "\""): "a string where an object belongs"
        case UInt8(ascii: "t"), UInt8(ascii: "f"): "a truth value where an object belongs"
        case UInt8(ascii: "n"): "null where an object belongs"
        default: "a number where an object belongs"
        }
    }

    var tooLong: String { "the record is longer than \(maxRecordBytes) bytes" }
}
