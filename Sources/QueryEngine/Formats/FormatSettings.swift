/// How values are written, from a query's settings.
public struct FormatSettings: Sendable {
    /// How times read.
    public enum DateTimeFormat: Sendable {
        /// `2020-01-01 00:00:00`
        case simple
        /// `2020-01-01T00:00:00Z`
        case iso
        /// `1577836800`
        case unixTimestamp
    }

    /// 64-bit integers as strings in JSON (`output_format_json_quote_64bit_integers`).
    public var quotes64BitIntegers = false
    /// `nan` and `inf` as strings in JSON, not as null (`output_format_json_quote_denormals`).
    public var quotesDenormals = false
    /// `/` as `\/` in JSON (`output_format_json_escape_forward_slashes`).
    public var escapesForwardSlashes = true
    /// `date_time_output_format`.
    public var dateTimeFormat = DateTimeFormat.simple
    /// `format_csv_delimiter`.
    public var csvDelimiter = UInt8(ascii: ",")
    /// The most rows a Pretty table shows (`output_format_pretty_max_rows`).
    public var prettyMaxRows = 1000
    /// Numbered rows in Pretty tables (`output_format_pretty_row_numbers`).
    public var prettyRowNumbers = true
    /// Whether JSON formats tell how long the query took (`output_format_write_statistics`).
    public var writesStatistics = true
    /// Whether a JSON field without a column is passed over on input (`input_format_skip_unknown_fields`).
    public var skipsUnknownFields = true

    /// Creates the settings as they are by default.
    public init() {}

    /// Reads the settings that matter here out of a query's; what cannot be read stays as it is by default.
    public init(_ settings: [String: String]) {
        func flag(_ name: String, _ value: inout Bool) {
            guard let text = settings[name] else { return }
            value = text == "1" || text.lowercased() == "true"
        }
        flag("output_format_json_quote_64bit_integers", &quotes64BitIntegers)
        flag("output_format_json_quote_denormals", &quotesDenormals)
        flag("output_format_json_escape_forward_slashes", &escapesForwardSlashes)
        flag("output_format_pretty_row_numbers", &prettyRowNumbers)
        flag("output_format_write_statistics", &writesStatistics)
        flag("input_format_skip_unknown_fields", &skipsUnknownFields)
        if let rows = settings["output_format_pretty_max_rows"].flatMap({ Int($0) }), rows > 0 { prettyMaxRows = rows }
        if let byte = settings["format_csv_delimiter"]?.utf8.first { csvDelimiter = byte }
        switch settings["date_time_output_format"] {
        case "iso": dateTimeFormat = .iso
        case "unix_timestamp": dateTimeFormat = .unixTimestamp
        default: break
        }
    }
}
