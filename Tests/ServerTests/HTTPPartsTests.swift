import Disk
import HTTPTypes
import QueryEngine
import Synchronization
import Testing

@testable import Server

@Suite("Parts of HTTP")
struct HTTPPartsTests {
    @Test("a target is split and decoded, bytes kept as they are")
    func target() {
        let target = RequestTarget("/ingest/a%2eb/?query=SELECT+1%2B1&x&param_s=%ff%00&query=2#frag")
        #expect(target.path == "/ingest/a.b")
        #expect(target.text("query") == "2")
        #expect(target.parameters.first?.value == Array("SELECT 1+1".utf8))
        #expect(target["x"] == [])
        #expect(target["param_s"] == [0xFF, 0x00])
        #expect(target["none"] == nil)
        #expect(RequestTarget("").path == "/")
        #expect(RequestTarget("http://host:1/a?b=c").path == "/a")
        #expect(RequestTarget("/a%zz%4").path == "/a%zz%4")
    }

    @Test("a form's fields are read, and what is no form is none")
    func form() {
        let boundary = MultipartForm.boundary("multipart/form-data; boundary=\"x y\"") ?? []
        #expect(boundary == Array("x y".utf8))
        #expect(MultipartForm.boundary("text/plain; boundary=x") == nil)
        let body =
            "--x y\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n1\r\n--x y\r\n"
            + "Content-Disposition: form-data; name=\"param_a\"\r\nX: y\r\n\r\n\r\n--x y--\r\n"
        let fields = MultipartForm.parse(Array(body.utf8), boundary: boundary)
        #expect(fields?.map(\.name) == ["query", "param_a"])
        #expect(fields?.first?.value == Array("SELECT\r\n1".utf8))
        #expect(fields?.last?.value == [])
        for cut in 0..<(body.utf8.count - 4) {
            #expect(MultipartForm.parse(Array(body.utf8.prefix(cut)), boundary: boundary) == nil, "\(cut)")
        }
    }

    @Test("an INSERT is told by its first word, whatever stands before it")
    func insert() {
        #expect(SQLText.isInsert(Array("  -- why\n/* a */ iNsErT INTO t".utf8)))
        #expect(!SQLText.isInsert(Array("SELECT 'INSERT'".utf8)))
        #expect(!SQLText.isInsert(Array("-- INSERT".utf8)))
        #expect(!SQLText.isInsert(Array("/* INSERT".utf8)))
        #expect(!SQLText.isInsert([]))
    }

    @Test("the response is compressed only as the client accepts it")
    func encoding() {
        #expect(ResponseEncoding.choose(nil) == .identity)
        #expect(ResponseEncoding.choose("gzip, deflate, br") == .gzip)
        #expect(ResponseEncoding.choose("gzip, deflate, br, zstd") == .zstd)
        #expect(ResponseEncoding.choose("GZIP;q=1.0, zstd;q=0") == .gzip)
        #expect(ResponseEncoding.choose("br") == .identity)
    }

    @Test(
        "each of ClickHouse's codes gets the status ClickHouse gives it",
        arguments: [
            (60, 404), (46, 404), (47, 404), (115, 404), (73, 404), (62, 400), (6, 400), (53, 400), (36, 400),
            (42, 400), (43, 400),
            (194, 401), (516, 403), (497, 403), (164, 403), (159, 408), (48, 501), (1, 501), (202, 429), (243, 507),
            (241, 500),
            (49, 500), (394, 500),
        ])
    func status(code: Int, status: Int) {
        #expect(HTTPFailure.status(of: QueryError.Code(code, "X")) == status)
    }

    @Test("a failure reads as ClickHouse's, and its reason fits a status line")
    func failure() {
        let failure = HTTPFailure(QueryError(.unknownTable, "Table ä\ndoes not exist", at: 3))
        #expect(failure.text == "Code: 60. DB::Exception: Table ä\ndoes not exist (UNKNOWN_TABLE)")
        #expect(failure.reason == "Table ? does not exist")
        #expect(HTTPFailure(400, String(repeating: "x", count: 1000)).reason.utf8.count == 120)
    }

    @Test("base64 is read with and without padding, and nothing else is")
    func base64() {
        #expect(base64Decode("YWRtaW46c2VjcmV0") == Array("admin:secret".utf8))
        #expect(base64Decode("YQ==") == Array("a".utf8))
        #expect(base64Decode("YQ") == Array("a".utf8))
        #expect(base64Decode("Y Q") == nil)
    }

    @Test("the nearest name is found only when it is near")
    func nearestName() {
        #expect(nearest(to: "ngnix", in: ["events", "nginx"]) == "nginx")
        #expect(nearest(to: "completely", in: ["events", "nginx"]) == nil)
    }
}

@Suite("JSON of requests and answers")
struct JSONTests {
    @Test("what is written is read again")
    func roundTrip() throws {
        let text = #"{"a":[1,-2.5e3,"x\"\\\n\u0001é"],"b":{"c":null,"d":true},"e":[]}"#
        var bytes: [UInt8] = []
        try JSONValue(parsing: Array(text.utf8)).write(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
        let value = try JSONValue(parsing: Array(#" {"x" : "\ud83d\ude00\u00e9\/" , "n": 12 } "#.utf8))
        #expect(value["x"]?.string == "😀é/")
        #expect(value["n"]?.integer == 12)
    }

    @Test(
        "what is no JSON is refused, never trapped on",
        arguments: [
            "", "{", "[1,", "{\"a\"}", "{\"a\":}", "tru", "01x", "\"a", "\"\\u12", "\"\\x\"", "1 2", "[1]]", "{a:1}",
            "+1", "\"\u{1}\"",
            String(repeating: "[", count: 100_000),
        ])
    func refusing(text: String) {
        #expect(throws: JSONValue.ParseError.self) { try JSONValue(parsing: Array(text.utf8)) }
    }
}

@Suite("Authentication")
struct AuthenticatorTests {
    private let authenticator = Authenticator(users: [
        User(name: "boss", password: "pw:1", role: .admin), User(name: "ship", password: "in", role: .ingest),
    ])

    @Test("each way of giving credentials works, one at a time")
    func ways() throws {
        #expect(try user([.authorization: "Basic Ym9zczpwdzox"]).name == "boss")
        #expect(try user([.authorization: "bearer in"]).role == .ingest)
        #expect(try user([.clickHouseUser: "boss", .clickHouseKey: "pw:1"]).role == .admin)
        #expect(try user([:], "/?user=ship&password=in").name == "ship")
        #expect(code([.authorization: "Bearer in"], "/?user=ship&password=in") == 516)
    }

    @Test("none, wrong and senseless credentials are refused with ClickHouse's codes")
    func refusals() {
        #expect(code([:]) == 194)
        #expect(code([.clickHouseUser: "boss", .clickHouseKey: "pw"]) == 516)
        #expect(code([.clickHouseUser: "boss"]) == 516)
        #expect(code([.authorization: "Basic !!!"]) == 516)
        #expect(code([.authorization: "Bearer "]) == 516)
        #expect(code([.authorization: "Negotiate x"]) == 516)
    }

    @Test("without configured users everyone is admin")
    func nobody() throws {
        #expect(try Authenticator(users: []).user(headers: [:], target: RequestTarget("/")).role == .admin)
    }

    private func user(_ headers: HTTPFields, _ target: String = "/") throws -> User {
        try authenticator.user(headers: headers, target: RequestTarget(target))
    }

    private func code(_ headers: HTTPFields, _ target: String = "/") -> Int? {
        do throws(HTTPFailure) {
            _ = try authenticator.user(headers: headers, target: RequestTarget(target))
            return nil
        } catch {
            return error.code?.number
        }
    }
}

@Suite("Pipes and threads")
struct PipeTests {
    @Test("a result longer than the pipe arrives whole and in order, the writer held back")
    func response() async {
        let pipe = ResponsePipe(limit: 1000)
        let writer = Thread(name: "writer") {
            for index in 0..<1000 { _ = pipe.write([UInt8](repeating: UInt8(index % 256), count: 100)) }
            pipe.finish(.init(failure: nil, headers: [("A", "b")]))
        }
        let start = await pipe.start()
        #expect(start.ending == nil)
        var bytes = start.bytes.flatMap { $0 }
        var ending: ResponsePipe.Ending?
        while ending == nil {
            let next = await pipe.next()
            bytes += next.bytes.flatMap { $0 }
            ending = next.ending
        }
        writer.join()
        #expect(bytes == (0..<1000).flatMap { [UInt8](repeating: UInt8($0 % 256), count: 100) })
        #expect(ending?.headers.first?.value == "b")
    }

    @Test("a short result and its ending are there at once")
    func short() async {
        let pipe = ResponsePipe(limit: 1000)
        #expect(pipe.write([1, 2]))
        pipe.finish(.init(failure: HTTPFailure(500, "x"), headers: []))
        let start = await pipe.start()
        #expect(start.bytes == [[1, 2]])
        #expect(start.ending?.failure?.message == "x")
    }

    @Test("an abandoned pipe lets its writer go")
    func abandoned() {
        let pipe = ResponsePipe(limit: 10)
        let outcome = Mutex<Bool?>(nil)
        let writer = Thread(name: "writer") {
            let isRead = pipe.write([UInt8](repeating: 0, count: 100))
            outcome.withLock { $0 = isRead }
        }
        pipe.abandon()
        writer.join()
        #expect(outcome.withLock { $0 } == false)
        #expect(!pipe.write([1]))
    }

    @Test("a request's body reaches the reader whole, and its failure too")
    func request() async {
        let pipe = RequestPipe(limit: 100)
        let result = Mutex<(count: Int, failure: String?)>((0, nil))
        let reader = Thread(name: "reader") {
            do throws(HTTPFailure) {
                while let piece = try pipe.next() { result.withLock { $0.count += piece.count } }
            } catch {
                result.withLock { $0.failure = error.message }
            }
        }
        for _ in 0..<100 { #expect(await pipe.write([UInt8](repeating: 1, count: 77))) }
        pipe.finish(HTTPFailure(400, "broke off"))
        reader.join()
        #expect(result.withLock { $0.count } == 7700)
        #expect(result.withLock { $0.failure } == "broke off")
    }

    @Test("a closed request pipe tells its writer")
    func closed() async {
        let pipe = RequestPipe(limit: 1)
        pipe.close()
        #expect(await !pipe.write([1, 2, 3]))
    }

    @Test("a gate lets its number through and the others in their turn")
    func gate() async {
        let gate = AsyncGate(limit: 2)
        let inside = Monitor((now: 0, most: 0, all: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await gate.enter()
                    inside.withLock { state in
                        state.now += 1
                        state.most = max(state.most, state.now)
                        state.all += 1
                    }
                    await Task.yield()
                    inside.withLock { $0.now -= 1 }
                    gate.leave()
                }
            }
        }
        #expect(inside.withLock { $0.most } <= 2)
        #expect(inside.withLock { $0.all } == 50)
    }

    @Test("the pool runs what it is given, refuses what is too much, and stops")
    func pool() async throws {
        let pool = BlockingPool(name: "test", limit: 2, queueLimit: 1)
        #expect(try await pool.run { 42 } == 42)
        while pool.load.running > 0 { await Task.yield() }
        let gate = Monitor(false)
        for _ in 0..<3 { try pool.submit { _ = gate.wait { $0 ? true : nil } } }
        // Two run, one waits: the next is one too many, as soon as both threads have taken theirs.
        while pool.load.running < 2 { await Task.yield() }
        #expect(throws: BlockingPool.Refusal.full) { try pool.submit {} }
        gate.update { $0 = true }
        pool.stop()
        #expect(throws: BlockingPool.Refusal.stopped) { try pool.submit {} }
    }
}
