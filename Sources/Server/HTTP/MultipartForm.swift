/// `multipart/form-data` as forms and some clients send it: fields of a name and a value, small ones only.
enum MultipartForm {
    /// The boundary that a Content-Type names; nil when it is of another type or names none.
    static func boundary(_ contentType: String?) -> [UInt8]? {
        guard let contentType, contentType.lowercased().hasPrefix("multipart/form-data") else { return nil }
        for item in contentType.split(separator: ";").dropFirst() {
            let text = item.trimmedSpaces
            guard text.lowercased().hasPrefix("boundary=") else { continue }
            var value = text.dropFirst("boundary=".count)
            if value.hasPrefix("\""), value.hasSuffix("\""), value.count >= 2 { value = value.dropFirst().dropLast() }
            return value.isEmpty ? nil : Array(value.utf8)
        }
        return nil
    }

    /// The fields of a body; nil when it is not what the boundary promises.
    static func parse(_ body: [UInt8], boundary: [UInt8]) -> [RequestTarget.Parameter]? {
        let mark = Array("--".utf8) + boundary
        var fields: [RequestTarget.Parameter] = []
        guard var position = find(mark, in: body, from: 0) else { return nil }
        while true {
            position += mark.count
            if body[position...].starts(with: "--".utf8) { return fields }
            guard body[position...].starts(with: "\r\n".utf8) else { return nil }
            position += 2
            guard let headEnd = find(Array("\r\n\r\n".utf8), in: body, from: position),
                let end = find(Array("\r\n".utf8) + mark, in: body, from: headEnd + 2)
            else { return nil }
            let head = String(decoding: body[position..<headEnd], as: UTF8.self)
            if let name = name(head) {
                let start = min(headEnd + 4, end)
                fields.append(RequestTarget.Parameter(name: name, value: Array(body[start..<end])))
            }
            position = end + 2
        }
    }

    private static func name(_ head: String) -> String? {
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-disposition:") {
            for item in line.split(separator: ";").dropFirst() {
                let text = item.trimmedSpaces
                guard text.hasPrefix("name=\""), text.hasSuffix("\""), text.count >= 7 else { continue }
                return String(text.dropFirst("name=\"".count).dropLast())
            }
        }
        return nil
    }

    private static func find(_ wanted: [UInt8], in body: [UInt8], from start: Int) -> Int? {
        guard start <= body.count - wanted.count, let first = wanted.first else { return nil }
        var position = start
        while position <= body.count - wanted.count {
            if body[position] == first, body[position..<(position + wanted.count)].elementsEqual(wanted) {
                return position
            }
            position += 1
        }
        return nil
    }
}
