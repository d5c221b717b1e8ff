/// What Kafka Connect's JSON converter wraps around a value when its schemas are on:
/// `{"schema": {"type": …}, "payload": …}`. Debezium's events come in it unless told otherwise.
struct ConnectEnvelope {
    /// The schema's JSON text; nil when it is null.
    let schema: UnsafeRawBufferPointer?
    /// The value's JSON text.
    let payload: UnsafeRawBufferPointer

    /// The envelope that `text` is; nil when it is something else. Records that begin otherwise cost a few
    /// comparisons; text that is no JSON is none.
    init?(_ text: UnsafeRawBufferPointer) {
        guard Self.beginsLikeOne(text), var members = JSONMembers(text) else { return nil }
        var schema: UnsafeRawBufferPointer?
        var payload: UnsafeRawBufferPointer?
        do throws(JSONFault) {
            while let member = try members.next() {
                if member.isNamed("schema"), schema == nil {
                    schema = member.value
                } else if member.isNamed("payload"), payload == nil {
                    payload = member.value
                } else {
                    return nil
                }
            }
        } catch {
            return nil
        }
        guard let schema, let payload else { return nil }
        if JSONValueText.isNull(schema) {
            self.schema = nil
        } else {
            guard Self.isSchema(schema) else { return nil }
            self.schema = schema
        }
        self.payload = payload
    }

    private static func beginsLikeOne(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let start = text.baseAddress else { return false }
        let base = start.assumingMemoryBound(to: UInt8.self)
        var at = 0
        guard JSONWalk.skip(base, &at, text.count) == UInt8(ascii: "{") else { return false }
        at += 1
        guard JSONWalk.skip(base, &at, text.count) == UInt8(ascii: "\"") else { return false }
        let rest = text[(at + 1)...]
        return rest.starts(with: StaticString("schema\"").bytes) || rest.starts(with: StaticString("payload\"").bytes)
    }

    /// A schema is an object that says its type.
    private static func isSchema(_ text: UnsafeRawBufferPointer) -> Bool {
        guard var members = JSONMembers(text) else { return false }
        do throws(JSONFault) {
            while let member = try members.next() {
                if member.isNamed("type") { return JSONValueText.string(member.value) != nil }
            }
        } catch {
            return false
        }
        return false
    }
}
