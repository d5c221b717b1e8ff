import LogStore

/// A topic's setting as clients are told of it.
struct ConfigDescription {
    /// Where a value comes from, by Kafka's numbers.
    enum Source {
        static let topic: Int8 = 1
        static let brokerFile: Int8 = 4
        static let standard: Int8 = 5
    }

    let setting: TopicSetting
    let value: String
    let source: Int8
    let config: TopicConfig

    var name: String { setting.name }

    /// The number Kafka has for a kind of value.
    var type: Int8 {
        switch setting.kind {
        case .boolean: 1
        case .string: 2
        case .int: 3
        case .long: 5
        case .double: 6
        case .list: 7
        }
    }

    /// Every setting there is.
    static func all(of config: TopicConfig) -> [ConfigDescription] {
        TopicConfig.known.map { setting in
            let value = config.text(of: setting.name) ?? setting.defaultText
            let source =
                config.isSet(setting.name)
                ? Source.topic : (value == setting.defaultText ? Source.standard : Source.brokerFile)
            return ConfigDescription(setting: setting, value: value, source: source, config: config)
        }
    }
}
