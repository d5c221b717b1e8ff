extension QueryError {
    /// The error with the place in `sql` that is to blame, as line and column, at the end of its message; as it is
    /// when no place is, or the message names one already.
    func located(in sql: [UInt8]) -> QueryError {
        guard let position, position <= sql.count, !message.contains("(line ") else { return self }
        let place = StatementParser.lineAndColumn(position, in: sql)
        return QueryError(code, "\(message) (line \(place.line), col \(place.column))", at: position)
    }
}
