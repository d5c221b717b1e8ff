import Foundation
import Testing

/// The dashboards that are shipped: every panel's query runs as its datasource sends it.
@Suite("Grafana dashboards")
struct DashboardTests {
    /// Targets of all panels of a dashboard file.
    private func targets(_ name: String) throws -> [[String: Any]] {
        let path = Program.root + "/grafana/provisioning/dashboards/" + name
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        return panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }
    }

    /// A server with log lines in the shape of the demo's nginx, of the last minutes.
    private func server(in space: TemporaryFolder) throws -> Server {
        let server = try Server(data: space.file("data"))
        let now = Int(Date().timeIntervalSince1970)
        let lines = (0..<500).map { row in
            "{\"timestamp\":\(now - row),\"status\":\([200, 200, 404, 502][row % 4]),\"uri\":\"/p/\(row % 9)\","
                + "\"bytes\":\(row * 3),\"request_time\":0.00\(row % 10)}"
        }
        let reply = try server.ingest("nginx", lines.joined(separator: "\n"))
        try #require(reply.status == 200, "\(reply.text)")
        try #require(try server.answer("SELECT count() FROM nginx", becomes: "500") == "500")
        return server
    }

    private var range: (from: Int, to: Int) {
        let now = Int(Date().timeIntervalSince1970)
        return (now - 900, now + 60)
    }

    @Test("Infinity's panels get rows under the columns they name")
    func infinity() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let targets = try targets("logstore-infinity.json")
        #expect(targets.count >= 4)
        for target in targets {
            let options = try #require(target["url_options"] as? [String: Any])
            let sql = try #require(options["data"] as? String)
            let path = "/?default_format=JSON&from=\(range.from * 1000)&to=\(range.to * 1000)&interval_ms=15000"
            let reply = try server.curl(path, body: Data(sql.utf8))
            #expect(reply.status == 200, "\(sql): \(reply.text)")
            let rows = try #require(try reply.object()["data"] as? [[String: Any]])
            #expect(!rows.isEmpty, "\(sql)")
            let columns = try #require(target["columns"] as? [[String: Any]]).compactMap { $0["selector"] as? String }
            #expect(Set(columns) == Set(rows.first?.keys.map { $0 } ?? []), "\(sql)")
            for row in rows where row["time"] != nil {
                #expect((row["time"] as? String)?.hasSuffix("Z") == true, "\(row)")
            }
        }
    }

    @Test("the JSON datasource's panels get frames with values")
    func simPod() throws {
        let space = try TemporaryFolder()
        let server = try server(in: space)
        let formatter = ISO8601DateFormatter()
        func iso(_ seconds: Int) -> String { formatter.string(from: Date(timeIntervalSince1970: Double(seconds))) }
        for target in try targets("logstore-json.json") {
            let request: [String: Any] = [
                "range": ["from": iso(range.from), "to": iso(range.to)], "intervalMs": 15000, "maxDataPoints": 500,
                "targets": [target],
            ]
            let body = try JSONSerialization.data(withJSONObject: request)
            let reply = try server.curl("/grafana/query", ["--header", "Content-Type: application/json"], body: body)
            #expect(reply.status == 200, "\(reply.text)")
            let frame = try #require(try reply.array().first as? [String: Any], "\(reply.text)")
            let fields = try #require(frame["fields"] as? [[String: Any]], "\(reply.text)")
            #expect(fields.allSatisfy { ($0["values"] as? [Any])?.isEmpty == false }, "\(reply.text.prefix(300))")
        }
    }
}
