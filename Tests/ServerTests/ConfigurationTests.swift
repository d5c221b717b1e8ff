import Testing

@testable import Server

@Suite("Configuration")
struct ConfigurationTests {
    @Test("a flag goes before the environment, the environment before the file, the file before the default")
    func precedence() throws {
        let file = (path: "f.conf", text: "max_body = 1M\nmax_threads = 3\nidle_timeout = 5s\n")
        let environment = ["LOGSTORE_MAX_BODY": "2M", "LOGSTORE_MAX_THREADS": "4", "PATH": "/bin"]
        let configuration = try ServerConfiguration(flags: ["max_body": "3M"], environment: environment, file: file)
        #expect(configuration.bytes("max_body") == 3 << 20)
        #expect(configuration.number("max_threads") == 4)
        #expect(configuration.milliseconds("idle_timeout") == 5000)
        #expect(configuration.text("durability") == "fsync")
        #expect(configuration.values["max_body"]?.origin == .flag)
        #expect(configuration.values["max_threads"]?.origin == .environment)
        #expect(configuration.values["idle_timeout"]?.origin == .file)
        #expect(configuration.values["durability"]?.origin == .standard)
    }

    @Test("an unknown name is an error that names the nearest setting, wherever it was said")
    func unknownNames() {
        #expect(complaint(file: "max_boddy = 1")?.contains("max_body") == true)
        #expect(complaint(file: "max_boddy = 1")?.contains("line 1") == true)
        #expect(complaint(environment: ["LOGSTORE_MAX_THREAD": "1"])?.contains("max_threads") == true)
        #expect(complaint(flags: ["htpp": "x"])?.contains("http") == true)
    }

    @Test("variables of the command line and of other programs are left alone")
    func otherVariables() {
        #expect(complaint(environment: ["LOGSTORE_URL": "x", "LOGSTORE_BINARY": "/bin/x", "HOME": "/"]) == nil)
    }

    @Test(
        "a value that does not fit says what does",
        arguments: [
            ("max_threads", "many"), ("max_body", "1 parsec"), ("idle_timeout", "soon"), ("durability", "maybe"),
            ("allow_insecure", "perhaps"), ("max_concurrent_queries", "0"), ("http", "8123"), ("http", "::1:8123"),
            ("max_body", "99999999999999T"),
        ])
    func wrongValues(name: String, value: String) {
        #expect(complaint(flags: [name: value])?.contains("wants") == true)
    }

    @Test("every default is a value the setting takes")
    func defaults() throws {
        for definition in SettingDefinition.all {
            #expect(definition.complaint(about: definition.defaultText) == nil, "\(definition.name)")
            #expect(!definition.help.isEmpty)
        }
        #expect(Set(SettingDefinition.all.map(\.name)).count == SettingDefinition.all.count)
        _ = try ServerConfiguration()
    }

    @Test("sizes and spans are read with their units")
    func units() {
        #expect(SettingDefinition.parseBytes("64M") == 64 << 20)
        #expect(SettingDefinition.parseBytes("64MiB") == 64 << 20)
        #expect(SettingDefinition.parseBytes("64 MB") == 64_000_000)
        #expect(SettingDefinition.parseBytes("17") == 17)
        #expect(SettingDefinition.parseBytes("-1") == nil)
        #expect(SettingDefinition.parseDuration("7d") == 604_800_000)
        #expect(SettingDefinition.parseDuration("250ms") == 250)
        #expect(SettingDefinition.parseDuration("30") == 30_000)
        #expect(SettingDefinition.parseDuration("9999999999999999d") == nil)
    }

    @Test("a public address without users is refused in plain words, unless that is asked for")
    func publicAddress() throws {
        #expect(complaint(flags: ["http": "0.0.0.0:8123"])?.contains("--allow-insecure") == true)
        #expect(complaint(flags: ["http": ":8123"])?.contains("other machines") == true)
        #expect(complaint(flags: ["http": "[::]:8123"]) != nil)
        #expect(complaint(flags: ["http": "0.0.0.0:8123", "allow_insecure": "true"]) == nil)
        #expect(complaint(flags: ["http": "0.0.0.0:8123", "users": "a:b:admin"]) == nil)
        #expect(complaint(flags: ["http": "[::1]:8123"]) == nil)
        #expect(complaint(flags: ["http": "localhost:0"]) == nil)
    }

    @Test("users are name, password, role; what is wrong with an entry is said without the password")
    func users() throws {
        let configuration = try ServerConfiguration(flags: ["users": "a:b:c:admin, g:look:readonly,i:in:ingest"])
        #expect(configuration.users.map(\.password) == ["b:c", "look", "in"])
        #expect(configuration.users.map(\.role) == [.admin, .readonly, .ingest])
        for wrong in ["a", "a:b", "a:secret:king", ":b:admin", "a::admin", "a:b:admin,a:c:admin"] {
            let message = complaint(flags: ["users": wrong])
            #expect(message != nil, "\(wrong)")
            #expect(message?.contains("secret") == false)
        }
    }

    @Test("the file knows comments, quotes and what is wrong in which line")
    func file() throws {
        let text = "# top\n\n data = \"/with # and \\\"quotes\\\"\" # why\nhttp=127.0.0.1:1 # port\r\n"
        let entries = try ConfigurationFile.parse(text, path: "f")
        #expect(entries.map(\.value) == ["/with # and \"quotes\"", "127.0.0.1:1"])
        #expect(entries.map(\.line) == [3, 4])
        for (wrong, line) in [("a", 1), ("\na = \"x", 2), ("a = \"x\" y", 1), ("data = 1\ndata = 2", 2)] {
            let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse(wrong, path: "f.conf") }
            #expect(error?.message.contains("f.conf, line \(line)") == true, "\(error?.message ?? "")")
        }
    }

    private func complaint(
        flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) -> String? {
        do throws(ConfigurationError) {
            _ = try ServerConfiguration(
                flags: flags, environment: environment, file: file.map { (path: "f.conf", text: $0) })
            return nil
        } catch {
            return error.message
        }
    }
}
