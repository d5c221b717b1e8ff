/// The configuration file: lines of `name = value`, `#` begins a comment, blank lines are skipped. A value may stand
/// in double quotes, and must when it holds a `#` or ends in a space; inside quotes `\"` and `\\` are read.
enum ConfigurationFile {
    /// One setting as the file says it.
    struct Entry: Hashable {
        var name: String
        var value: String
        var line: Int
    }

    /// Reads the file's text. `path` is for messages.
    static func parse(_ text: String, path: String) throws(ConfigurationError) -> [Entry] {
        var entries: [Entry] = []
        var seen: [String: Int] = [:]
        var number = 0
        for rawLine in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let line = rawLine.trimmedSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw ConfigurationError("\(path), line \(number): wants `name = value`, got `\(line)`")
            }
            let name = line[..<equals].trimmedSpaces
            let value = try unquote(line[line.index(after: equals)...].trimmedSpaces, path: path, line: number)
            if let earlier = seen[name] {
                throw ConfigurationError("\(path), line \(number): `\(name)` was set in line \(earlier) already")
            }
            seen[name] = number
            entries.append(Entry(name: name, value: value, line: number))
        }
        return entries
    }

    private static func unquote(_ text: String, path: String, line: Int) throws(ConfigurationError) -> String {
        guard text.hasPrefix("\"") else {
            let bare = text.prefix { $0 != "#" }
            return bare.trimmedSpaces
        }
        var value = ""
        var escaped = false
        var rest = text.dropFirst()
        while let character = rest.first {
            rest.removeFirst()
            if escaped {
                value.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "\"" {
                let tail = rest.trimmedSpaces
                guard tail.isEmpty || tail.hasPrefix("#") else {
                    throw ConfigurationError("\(path), line \(line): `\(tail)` after the closing quote")
                }
                return value
            } else {
                value.append(character)
            }
        }
        throw ConfigurationError("\(path), line \(line): the value has no closing quote")
    }
}
