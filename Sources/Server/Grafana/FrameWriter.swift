/// Turns a JSONCompact result into the shapes that Grafana's data sources take: frames, tables, series.
struct FrameWriter {
    /// A column with what Grafana calls its kind.
    struct Column {
        var name: String
        var kind: Kind
    }

    enum Kind: String {
        case time, number, string, boolean, other
    }

    let columns: [Column]
    let rows: [[JSONValue]]

    /// Takes apart what the engine wrote.
    init(_ result: JSONValue) {
        columns = (result["meta"]?.elements ?? []).map { meta in
            Column(name: meta["name"]?.string ?? "", kind: Self.kind(meta["type"]?.string ?? ""))
        }
        rows = (result["data"]?.elements ?? []).map { $0.elements ?? [] }
    }

    static func kind(_ type: String) -> Kind {
        var base = type[...]
        for wrapper in ["LowCardinality(", "Nullable("] where base.hasPrefix(wrapper) {
            base = base.dropFirst(wrapper.count).dropLast()
        }
        if base.hasPrefix("Date") { return .time }
        if base.hasPrefix("Int") || base.hasPrefix("UInt") || base.hasPrefix("Float") || base.hasPrefix("Decimal") {
            return .number
        }
        if base == "Bool" { return .boolean }
        if base.hasPrefix("Array") || base.hasPrefix("Map") || base.hasPrefix("Tuple") { return .other }
        return .string
    }

    /// Writes a value; times become milliseconds since 1970.
    func writeCell(_ value: JSONValue, _ column: Column, to json: inout JSONWriter) {
        if column.kind == .time, let text = value.string {
            if let milliseconds = TimeText.milliseconds(text, nowMs: 0) {
                json.value(milliseconds)
            } else {
                json.null()
            }
        } else if column.kind == .number, case .string(let text) = value, Double(text) != nil {
            json.raw(text)
        } else {
            write(value, to: &json)
        }
    }

    /// Writes any JSON as it is.
    func write(_ value: JSONValue, to json: inout JSONWriter) {
        var bytes: [UInt8] = []
        value.write(to: &bytes)
        json.raw(bytes: bytes)
    }

    /// `{"refId":…,"fields":[{"name":…,"type":…,"values":[…]}]}`.
    func writeFrame(refID: String?, to json: inout JSONWriter) {
        json.beginObject()
        writeRefID(refID, to: &json)
        json.key("fields")
        json.beginArray()
        for (index, column) in columns.enumerated() {
            json.beginObject()
            json.key("name")
            json.value(column.name)
            json.key("type")
            json.value(column.kind.rawValue)
            json.key("values")
            json.beginArray()
            for row in rows { writeCell(index < row.count ? row[index] : .null, column, to: &json) }
            json.endArray()
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    /// `{"type":"table","columns":[{"text":…,"type":…}],"rows":[[…]]}`.
    func writeTable(refID: String?, to json: inout JSONWriter) {
        json.beginObject()
        writeRefID(refID, to: &json)
        json.key("type")
        json.value("table")
        json.key("columns")
        json.beginArray()
        for column in columns {
            json.beginObject()
            json.key("text")
            json.value(column.name)
            json.key("type")
            json.value(column.kind.rawValue)
            json.endObject()
        }
        json.endArray()
        json.key("rows")
        json.beginArray()
        for row in rows {
            json.beginArray()
            for (column, value) in zip(columns, row) { writeCell(value, column, to: &json) }
            json.endArray()
        }
        json.endArray()
        json.endObject()
    }

    /// `{"target":…,"datapoints":[[value,ms]…]}` for each number column, apart by the values of text columns.
    func writeSeries(refID: String?, to json: inout JSONWriter) {
        guard let time = columns.firstIndex(where: { $0.kind == .time }) else {
            writeTable(refID: refID, to: &json)
            return
        }
        let labels = columns.indices.filter { columns[$0].kind == .string || columns[$0].kind == .boolean }
        let values = columns.indices.filter { columns[$0].kind == .number }
        var order: [String] = []
        var series: [String: [[JSONValue]]] = [:]
        for row in rows where row.count == columns.count {
            let label = labels.compactMap { row[$0].scalarText }.joined(separator: " ")
            for value in values {
                let name =
                    label.isEmpty ? columns[value].name : values.count == 1 ? label : label + " " + columns[value].name
                if series[name] == nil { order.append(name) }
                series[name, default: []].append([row[value], row[time]])
            }
        }
        for name in order {
            json.beginObject()
            writeRefID(refID, to: &json)
            json.key("target")
            json.value(name)
            json.key("datapoints")
            json.beginArray()
            for point in series[name] ?? [] {
                json.beginArray()
                writeCell(point[0], Column(name: name, kind: .number), to: &json)
                writeCell(point[1], columns[time], to: &json)
                json.endArray()
            }
            json.endArray()
            json.endObject()
        }
    }

    private func writeRefID(_ refID: String?, to json: inout JSONWriter) {
        guard let refID else { return }
        json.key("refId")
        json.value(refID)
    }
}
