import KafkaProtocol
import TestSupport
import Testing

@Suite("Kafka's messages")
struct MessageTests {
    @Test("have the numbers, versions and flexible versions of Kafka's schemas", arguments: Message.all)
    func schema(_ message: Message) throws {
        let schema = try #require(Schema.all[message.name])
        #expect(schema.key == message.api.key)
        #expect(schema.versions == message.api.versions)
        #expect(schema.flexibleFrom == message.api.flexibleFrom)
    }

    @Test("are all of those that the fixtures describe")
    func complete() {
        #expect(Set(Message.all.map(\.name)) == Set(Schema.all.keys))
        #expect(Set(Message.all.map(\.name)) == Set(GoldenMessage.all.keys))
    }

    @Test("of arbitrary values are read field by field and written to the same bytes", arguments: Message.all)
    func arbitrary(_ message: Message) throws {
        let schema = try #require(Schema.all[message.name])
        for version in schema.versions {
            var random = SeededRandom(seed: UInt64(message.api.key) << 16 | UInt64(version))
            for _ in 0..<12 {
                let value = schema.random(version, &random)
                let frame = message.frame(schema, value, version: version)
                let (read, again) = try message.pass(frame, version)
                #expect(again == frame, "\(message.name) \(version): \(value)")
                #expect(
                    MessageNames.differences(message.name, value, read, at: "") == [],
                    "\(message.name) \(version)")
            }
        }
    }

    @Test("with tagged fields that nobody knows are read as without them", arguments: Message.all)
    func unknownTags(_ message: Message) throws {
        let schema = try #require(Schema.all[message.name])
        for version in schema.versions where schema.isFlexible(version) {
            var random = SeededRandom(seed: 99)
            for _ in 0..<6 {
                let value = schema.random(version, &random)
                let plain = message.frame(schema, value, version: version)
                let tagged = message.frame(schema, value, version: version, addsUnknownTags: true)
                #expect(tagged.count > plain.count)
                #expect(try message.pass(tagged, version).frame == plain, "\(message.name) \(version)")
            }
        }
    }

    @Test("of other programs are read and written again byte for byte", arguments: Message.all)
    func golden(_ message: Message) throws {
        let goldens = try #require(GoldenMessage.all[message.name])
        for golden in goldens {
            let again = try message.pass(golden.frame, golden.version).frame
            #expect(again == golden.frame, "\(golden.name) \(golden.version) \(golden.variant) by \(golden.writer)")
        }
        // Nobody else knows the oldest of this one any more.
        let first = message.api.name == "DescribeLogDirs" ? 1 : message.api.versions.lowerBound
        #expect(Set(goldens.map(\.version)) == Set(first...message.api.versions.upperBound))
    }

    @Test("say in an older version what it has of a newer one", arguments: Message.all)
    func olderVersions(_ message: Message) throws {
        let schema = try #require(Schema.all[message.name])
        let last = schema.versions.upperBound
        var random = SeededRandom(seed: 5)
        for _ in 0..<6 {
            let value = schema.random(last, &random)
            let newest = message.frame(schema, value, version: last)
            for version in schema.versions {
                guard let older = schema.older(value, version) else { continue }
                let wanted = message.frame(schema, older, version: version)
                #expect(try message.convert(newest[...], last, version).1 == wanted, "\(message.name) \(version)")
            }
        }
    }
}
