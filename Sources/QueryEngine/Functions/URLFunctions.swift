import Columnar

// Parts of URLs. A URL that lacks the part gives an empty string.

enum URLFunctions {
    static let all: [any ScalarFunction] = parts + cuts + parameters + [port, decode, encode]

    /// Where the parts of a URL lie, as byte offsets.
    private struct Parts {
        /// The scheme's end; nil when there is none.
        var scheme: Int?
        /// User, host and port.
        var authority: Range<Int>
        /// Where the path begins; the text's end when there is none.
        var path: Int
        /// The places of `?` and `#`; the text's end when there are none.
        var query: Int
        var fragment: Int

        init(_ text: UnsafeRawBufferPointer) {
            let end = text.count
            var start = 0
            scheme = nil
            if let colon = text.firstIndex(of: 0x3A), colon > 0, text[..<colon].allSatisfy({ Parts.isSchemePart($0) }),
                colon + 2 < end, text[colon + 1] == 0x2F, text[colon + 2] == 0x2F
            {
                scheme = colon
                start = colon + 3
            } else if end >= 2, text[0] == 0x2F, text[1] == 0x2F {
                start = 2
            }
            var index = start
            while index < end, text[index] != 0x2F, text[index] != 0x3F, text[index] != 0x23 { index += 1 }
            authority = start..<index
            path = index
            fragment = text[index...].firstIndex(of: 0x23) ?? end
            query = text[index..<fragment].firstIndex(of: 0x3F) ?? fragment
        }

        private static func isSchemePart(_ byte: UInt8) -> Bool {
            (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || byte == 0x2B
                || byte == 0x2D || byte == 0x2E
        }
    }

    private static func part(
        _ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Range<Int>
    ) -> any ScalarFunction {
        StringFunctions.make(name, 1...1, .string) { (columns, _, _, _) throws(QueryError) in
            StringFunctions.result(
                columns[0].strings.mapStrings { text, out in out.append(contentsOf: text[body(text)]) })
        }
    }

    /// The host, without user and port; empty when it cannot be one.
    private static func host(_ text: UnsafeRawBufferPointer) -> Range<Int> {
        let authority = Parts(text).authority
        var start = authority.lowerBound
        if let at = text[authority].lastIndex(of: 0x40) {
            // A password in the URL hides what follows.
            if text[start..<at].contains(0x3A) { return 0..<0 }
            start = at + 1
        }
        let end = text[start..<authority.upperBound].firstIndex(of: 0x3A) ?? authority.upperBound
        let host = start..<end
        let isHost = text[host].allSatisfy { byte in
            byte >= 0x80 || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
        }
        // A bare word is no host.
        return isHost && text[host].contains(0x2E) ? host : 0..<0
    }

    private static func withoutWWW(_ text: UnsafeRawBufferPointer) -> Range<Int> {
        let host = host(text)
        return host.count > 4 && text[host].starts(with: "www.".utf8) ? host.lowerBound + 4..<host.upperBound : host
    }

    private static let parts: [any ScalarFunction] = [
        part("protocol") { 0..<(Parts($0).scheme ?? 0) },
        part("domain") { host($0) }, part("domainWithoutWWW") { withoutWWW($0) },
        part("topLevelDomain") { text in
            let host = host(text)
            guard let dot = text[host].lastIndex(of: 0x2E) else { return 0..<0 }
            // The last number of an address is no domain.
            let last = dot + 1..<host.upperBound
            return text[last].first.map { $0 >= 0x30 && $0 <= 0x39 } ?? true ? 0..<0 : last
        },
        part("firstSignificantSubdomain") { text in
            let host = withoutWWW(text)
            let labels = text[host].split(separator: 0x2E, omittingEmptySubsequences: false)
            guard labels.count > 1 else { return host }
            let second = labels[labels.count - 2]
            // com.ru, co.uk, org.de and the like belong to the ending.
            let isGeneric = ["com", "co", "net", "org", "gov", "edu"].contains { second.elementsEqual($0.utf8) }
            let label = isGeneric && labels.count > 2 ? labels[labels.count - 3] : second
            return label.startIndex..<label.endIndex
        },
        part("netloc") { Parts($0).authority },
        part("path") { text in
            let parts = Parts(text)
            return parts.path..<parts.query
        },
        part("pathFull") { Parts($0).path..<$0.count },
        part("queryString") { text in
            let parts = Parts(text)
            return min(parts.query + 1, parts.fragment)..<parts.fragment
        },
        part("fragment") { text in
            let parts = Parts(text)
            return min(parts.fragment + 1, text.count)..<text.count
        },
        part("queryStringAndFragment") { text in
            let parts = Parts(text)
            return min(parts.query + 1, text.count)..<text.count
        },
    ]

    private static func cut(_ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Range<Int>)
        -> any ScalarFunction
    {
        StringFunctions.make(name, 1...1, .string) { (columns, _, _, _) throws(QueryError) in
            StringFunctions.result(
                columns[0].strings.mapStrings { text, out in
                    let left = body(text)
                    out.append(contentsOf: text[..<left.lowerBound])
                    out.append(contentsOf: text[left.upperBound...])
                })
        }
    }

    private static let cuts: [any ScalarFunction] = [
        cut("cutQueryString") { text in
            let parts = Parts(text)
            return parts.query..<parts.fragment
        },
        cut("cutFragment") { Parts($0).fragment..<$0.count },
        cut("cutQueryStringAndFragment") { Parts($0).query..<$0.count },
        cut("cutWWW") { text in
            let start = Parts(text).authority.lowerBound
            let isWWW = text.count >= start + 4 && text[start..<start + 4].elementsEqual("www.".utf8)
            return start..<(isWWW ? start + 4 : start)
        },
    ]

    // MARK: Parameters

    /// Calls `body` with the range of each `name=value` and of its name.
    private static func forEachParameter(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>, Range<Int>) -> Bool) {
        guard let question = text.firstIndex(where: { $0 == 0x3F || $0 == 0x23 }) else { return }
        var start = question + 1
        while start < text.count {
            let end = text[start...].firstIndex { $0 == 0x26 || $0 == 0x23 || $0 == 0x3F } ?? text.count
            if let equals = text[start..<end].firstIndex(of: 0x3D), !body(start..<end, start..<equals) { return }
            start = end + 1
        }
    }

    private static let parameters: [any ScalarFunction] = [
        StringFunctions.make("extractURLParameter", 2...2, .string, strings: 2) {
            (columns, _, _, _) throws(QueryError) in
            let names = columns[1].strings
            var row = 0
            return StringFunctions.result(
                columns[0].strings.mapStrings { text, out in
                    let wanted = names[row]
                    row += 1
                    forEachParameter(text) { whole, name in
                        guard text[name].elementsEqual(wanted) else { return true }
                        out.append(contentsOf: text[(name.upperBound + 1)..<whole.upperBound])
                        return false
                    }
                })
        },
        StringFunctions.make("extractURLParameters", 1...1, .array(.string)) { (columns, _, _, _) throws(QueryError) in
            columns[0].strings.mapLists { text, list in
                forEachParameter(text) { whole, _ in
                    list.append(text[whole])
                    return true
                }
            }
        },
        StringFunctions.make("extractURLParameterNames", 1...1, .array(.string)) {
            (columns, _, _, _) throws(QueryError) in
            columns[0].strings.mapLists { text, list in
                forEachParameter(text) { _, name in
                    list.append(text[name])
                    return true
                }
            }
        },
        StringFunctions.make("cutURLParameter", 2...2, .string, strings: 2) { (columns, _, _, _) throws(QueryError) in
            let names = columns[1].strings
            var row = 0
            return StringFunctions.result(
                columns[0].strings.mapStrings { text, out in
                    let wanted = names[row]
                    row += 1
                    var left: Range<Int>?
                    forEachParameter(text) { whole, name in
                        guard text[name].elementsEqual(wanted) else { return true }
                        // With the & behind it, or else the one before.
                        if whole.upperBound < text.count, text[whole.upperBound] == 0x26 {
                            left = whole.lowerBound..<whole.upperBound + 1
                        } else {
                            left = whole.lowerBound - 1..<whole.upperBound
                        }
                        return false
                    }
                    out.append(contentsOf: text[..<(left?.lowerBound ?? text.count)])
                    if let left { out.append(contentsOf: text[left.upperBound...]) }
                })
        },
    ]

    private static let port = StringFunctions.make("port", 1...2, .uint16) { (columns, type, _, _) throws(QueryError) in
        let fallback = columns.count > 1 ? columns[1].wholeNumbers.first ?? 0 : 0
        return Column(
            type: type,
            data: .uint16(
                columns[0].strings.map { text in
                    let authority = Parts(text).authority
                    guard let colon = text[authority].lastIndex(of: 0x3A),
                        let number: UInt16 = ValueText.parseInteger(
                            UnsafeRawBufferPointer(rebasing: text[(colon + 1)..<authority.upperBound]))
                    else { return UInt16(truncatingIfNeeded: fallback) }
                    return number
                }))
    }

    private static let decode = StringFunctions.make("decodeURLComponent", 1...1, .string) {
        (columns, _, _, _) throws(QueryError) in
        StringFunctions.result(
            columns[0].strings.mapStrings { text, out in
                var index = 0
                while index < text.count {
                    if text[index] == 0x25, index + 2 < text.count, let high = ValueText.hexValue(text[index + 1]),
                        let low = ValueText.hexValue(text[index + 2])
                    {
                        out.append(high << 4 | low)
                        index += 3
                    } else {
                        out.append(text[index])
                        index += 1
                    }
                }
            })
    }

    private static let encode = StringFunctions.make("encodeURLComponent", 1...1, .string) {
        (columns, _, _, _) throws(QueryError) in
        let digits = Array("0123456789ABCDEF".utf8)
        return StringFunctions.result(
            columns[0].strings.mapStrings { text, out in
                for byte in text {
                    let isPlain =
                        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                        || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
                    if isPlain {
                        out.append(byte)
                    } else {
                        out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                    }
                }
            })
    }
}
