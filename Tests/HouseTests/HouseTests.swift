// What belongs here: the rules of docs/ARCHITECTURE.md and the style of the house, checked by reading the sources.
import Foundation
import Testing

/// The package as it lies on the disk.
struct House {
    struct File {
        /// Below the folder of its target.
        var name: String
        var target: String
        var lines: [String]
        /// The lines without comments and without the contents of string literals.
        var code: [String]
    }

    let root: URL
    let targets: [String]
    let files: [File]

    init() throws {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let sources = root.appendingPathComponent("Sources")
        targets = try FileManager.default.contentsOfDirectory(atPath: sources.path).filter { !$0.hasPrefix(".") }.sorted()
        var files: [File] = []
        for target in targets {
            let folder = sources.appendingPathComponent(target)
            for case let name as String in try #require(FileManager.default.enumerator(atPath: folder.path)) where name.hasSuffix(".swift") {
                let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
                files.append(File(name: name, target: target, lines: lines, code: Self.code(lines)))
            }
        }
        self.files = files
    }

    /// Good enough for the style of this code: comments run to the end of their line, texts in three quotes begin and end on lines of their own.
    static func code(_ lines: [String]) -> [String] {
        var inText = false
        return lines.map { line in
            let quotes = line.components(separatedBy: "\"\"\"").count - 1
            if inText {
                if quotes > 0 { inText = false }
                return ""
            }
            if quotes == 1 {
                inText = true
                return line.components(separatedBy: "\"\"\"")[0]
            }
            var output = ""
            var inString = false
            var previous: Character = " "
            for character in line {
                if inString {
                    if character == "\"", previous != "\\" { inString = false }
                } else if character == "\"" {
                    inString = true
                } else if character == "/", previous == "/" {
                    output.removeLast()
                    break
                } else {
                    output.append(character)
                }
                previous = character == "\\" && previous == "\\" ? " " : character
            }
            return output
        }
    }

    /// Modules that a file imports, with their line numbers.
    static func imports(_ file: File) -> [(module: String, line: Int)] {
        file.code.enumerated().compactMap { number, line in
            var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            while let first = words.first, first.hasPrefix("@") || ["package", "public", "internal", "fileprivate", "private"].contains(first) {
                words.removeFirst()
            }
            guard words.first == "import", words.count > 1 else { return nil }
            let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return (String(name.prefix { $0 != "." && $0 != ";" }), number + 1)
        }
    }
}

@Suite("House")
struct HouseTests {
    private let house: House

    init() throws { house = try House() }

    /// What each target may import of the package's own. A target that is not here has no place in the house yet.
    private static let arrows: [String: Set<String>] = [
        "NVRModel": [], "NVRBase": [], "RTSP": [], "ISOBMFF": [], "S3": [], "WebSocketUpgrade": [],
        "CFFmpeg": [], "CArgon2": [], "CZlib": [], "CFiles": [], "CMosquitto": [], "CCurl": [], "CWebUI": [],
        "Libav": ["CFFmpeg"], "Argon2": ["CArgon2"], "Zlib": ["CZlib"], "Files": ["CFiles"], "Mosquitto": ["CMosquitto"], "Curl": ["CCurl"],
        "WebUI": ["CWebUI"],
        "NVRMedia": ["NVRModel", "NVRBase", "RTSP", "ISOBMFF", "Libav"],
        "NVRStore": ["NVRModel", "NVRBase", "Files"],
        "NVRRecording": ["NVRMedia", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "Zlib", "Files"],
        "NVRDetection": ["NVRMedia", "NVRModel", "NVRBase"],
        "NVRAccounts": ["NVRStore", "NVRModel", "NVRBase", "Argon2"],
        "NVRBackup": ["NVRStore", "NVRModel", "NVRBase", "Argon2"],
        "NVROnvif": ["NVRModel", "NVRBase"],
        "NVRCameras": ["NVRMedia", "NVRRecording", "NVRDetection", "NVROnvif", "NVRStore", "NVRModel", "NVRBase"],
        "NVROffsite": ["NVRRecording", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "S3"],
        "NVRImport": ["NVRRecording", "NVRMedia", "NVRBackup", "NVRStore", "NVRModel", "NVRBase", "Argon2"],
        "NVRNotify": ["NVRStore", "NVRModel", "NVRBase", "Mosquitto", "Curl"],
        "NVRWeb": [
            "NVRCameras", "NVRNotify", "NVRRecording", "NVRDetection", "NVRAccounts", "NVRBackup", "NVROnvif", "NVRMedia", "NVRStore",
            "NVRModel", "NVRBase", "ISOBMFF", "RTSP", "WebSocketUpgrade", "Zlib", "WebUI", "NVROffsite",
        ],
        "NVRRestream": ["NVRCameras", "NVRMedia", "NVRAccounts", "NVRStore", "NVRModel", "NVRBase", "RTSP"],
        "vibenvr": [
            "NVRWeb", "NVRRestream", "NVRCameras", "NVRNotify", "NVRRecording", "NVRDetection", "NVRAccounts", "NVRBackup", "NVROnvif", "NVRMedia",
            "NVRStore",
            "NVRModel", "NVRBase", "NVROffsite", "NVRImport",
        ],
    ]

    /// Who alone may import a module from elsewhere.
    private static let owners: [String: Set<String>] = [
        "GRDB": ["NVRStore"], "Hummingbird": ["NVRWeb"], "HummingbirdCore": ["NVRWeb", "WebSocketUpgrade"], "HummingbirdTLS": ["NVRWeb"],
        "ArgumentParser": ["vibenvr"], "Crypto": ["NVRAccounts", "NVRBackup", "NVRRecording", "NVRStore", "RTSP", "S3", "vibenvr"],
        "NIOSSL": ["RTSP", "S3", "NVRMedia", "NVRWeb"],
        "UnixSignals": ["vibenvr"], "HTTPTypes": ["NVRWeb", "WebSocketUpgrade"], "NIOWebSocket": ["WebSocketUpgrade"],
        "X509": ["vibenvr"], "SwiftASN1": ["vibenvr"],
    ]

    @Test("what no source reads of the settings is said to be idle, and nothing else is")
    func idleSettings() throws {
        let declarations = try #require(house.files.first { $0.target == "NVRModel" && $0.name == "Settings.swift" }).code
        let names = declarations.compactMap { line -> String? in
            guard let found = line.range(of: "static let "), line.contains("= Setting<") else { return nil }
            return String(line[found.upperBound...].prefix { $0.isLetter || $0.isNumber })
        }
        let begin = try #require(declarations.firstIndex { $0.contains("static let idle") })
        let end = try #require(declarations[begin...].firstIndex { $0.contains("].map") })
        let idle = Set(
            declarations[begin...end].flatMap { $0.split(whereSeparator: { " ,[]()".contains($0) }) }.filter { $0.hasSuffix(".key") }.map {
                String($0.dropLast(4))
            })
        let sources = house.files.filter { $0.name != "Settings.swift" }.flatMap(\.code).filter { $0.contains("Settings.") }
        let read = Set(
            sources.flatMap { line in
                line.components(separatedBy: "Settings.").dropFirst().map { String($0.prefix { $0.isLetter || $0.isNumber }) }
            })
        // The page asks for the one; the other says itself that it changes nothing.
        let elsewhere: Set = ["defaultLandingPage", "telemetryEnabled"]
        #expect(names.count > 60)
        #expect(idle == Set(names).subtracting(read).subtracting(elsewhere))
        // The interface tells them by the words that the server says of them.
        let key = try #require(house.files.first { $0.target == "NVRModel" && $0.name == "SettingKey.swift" }).lines
        let note = try #require(key.first { $0.contains("static let idleNote") }?.split(separator: "\"").dropFirst().first)
        let page = try String(contentsOf: house.root.appendingPathComponent("WebUI/src/system/ServerSettings.tsx"), encoding: .utf8)
        #expect(page.contains("'\(note)'"))
    }

    @Test("every target imports downwards only, and C modules only through their wrapper")
    func imports() {
        var wrong: [String] = []
        for file in house.files {
            for (module, line) in House.imports(file) where Self.arrows[module] != nil && module != file.target {
                if Self.arrows[file.target]?.contains(module) != true { wrong.append("\(file.target)/\(file.name):\(line) imports \(module)") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
        // The reader of imports found the imports that are there.
        #expect(house.files.contains { $0.target == "NVRWeb" && House.imports($0).contains { $0.module == "NVRCameras" } })
        #expect(house.files.contains { $0.target == "Libav" && House.imports($0).contains { $0.module == "CFFmpeg" } })
    }

    @Test("modules from elsewhere are imported only by the targets that own them")
    func thirdParties() {
        var wrong: [String] = []
        for file in house.files {
            for (module, line) in House.imports(file) {
                if let owners = Self.owners[module], !owners.contains(file.target) {
                    wrong.append("\(file.target)/\(file.name):\(line) imports \(module)")
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("every target has its place in the table of arrows, and the table has no circle")
    func table() {
        for target in house.targets { #expect(Self.arrows[target] != nil, "\(target) has no place in the house") }
        var order: [String] = []
        func visit(_ target: String, _ path: [String]) {
            guard !order.contains(target) else { return }
            guard !path.contains(target) else { Issue.record("a circle: \(path + [target])"); return }
            for below in Self.arrows[target] ?? [] { visit(below, path + [target]) }
            order.append(target)
        }
        for target in Self.arrows.keys { visit(target, []) }
    }

    @Test("Package.swift declares no arrow that the table does not have")
    func manifest() throws {
        let manifest = try String(contentsOf: house.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        let pattern = try NSRegularExpression(pattern: "room\\(\\s*\"(\\w+)\",\\s*\\[([^\\]]*)\\]")
        let text = manifest as NSString
        var seen: Set<String> = []
        for match in pattern.matches(in: manifest, range: NSRange(location: 0, length: text.length)) {
            let target = text.substring(with: match.range(at: 1))
            seen.insert(target)
            for part in text.substring(with: match.range(at: 2)).split(separator: ",") {
                let name = part.trimmingCharacters(in: .whitespacesAndNewlines)
                guard name.hasPrefix("\"") else { continue }
                let module = name.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
                #expect(Self.arrows[target]?.contains(module) == true, "\(target) depends on \(module)")
            }
        }
        #expect(seen.isSuperset(of: ["NVRMedia", "NVRStore", "NVRRecording", "NVRWeb"]))
    }

    @Test("NVRModel is values only: it imports nothing, and nothing in it waits")
    func model() {
        for file in house.files where file.target == "NVRModel" {
            #expect(House.imports(file).isEmpty, "\(file.name)")
            for line in file.code { #expect(!line.contains(" async ") && !line.contains("await "), "\(file.name): \(line)") }
        }
    }

    @Test("only the program itself imports Foundation")
    func foundation() {
        for file in house.files where file.target != "vibenvr" {
            for (module, line) in House.imports(file) { #expect(module != "Foundation", "\(file.target)/\(file.name):\(line)") }
        }
    }

    @Test("names say what a thing is: no Manager, Helper, Util; no Info or Data at the end")
    func names() {
        var wrong: [String] = []
        for file in house.files {
            for (number, line) in file.code.enumerated() {
                let words = line.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }).map(String.init)
                for (word, name) in zip(words, words.dropFirst())
                where ["struct", "class", "enum", "actor", "protocol", "typealias", "extension"].contains(word) {
                    let isForeign = word == "extension"
                    let isBad =
                        name.contains("Manager") || name.contains("Helper") || name.contains("Util") || name.hasSuffix("Info")
                        || name.hasSuffix("Data")
                    if isBad, !isForeign { wrong.append("\(file.target)/\(file.name):\(number + 1) \(name)") }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("nothing in the sources can end the program on purpose, and nothing is left for later")
    func noTraps() {
        var wrong: [String] = []
        let banned = ["try!", "fatalError(", "preconditionFailure(", "assertionFailure(", " as! ", "unowned(unsafe)"]
        for file in house.files {
            for (number, line) in file.code.enumerated() {
                for word in banned where line.contains(word) { wrong.append("\(file.target)/\(file.name):\(number + 1) \(word)") }
            }
            for (number, line) in file.lines.enumerated() {
                for word in ["TODO", "FIXME", "XXX:"] where line.contains(word) { wrong.append("\(file.target)/\(file.name):\(number + 1) \(word)") }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    }

    @Test("every unchecked promise of thread safety says why it holds")
    func uncheckedSendable() {
        for file in house.files {
            for (number, line) in file.code.enumerated() where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let above = file.lines[max(0, number - 14)...number].filter { $0.contains("//") }.joined(separator: " ").lowercased()
                let reasons = ["sendable", "safe", "mutex", "lock", "thread", "only", "confined"]
                #expect(reasons.contains { above.contains($0) }, "\(file.target)/\(file.name):\(number + 1)")
            }
        }
    }

    @Test("each target has a main file that begins with a sentence about what belongs there")
    func mainFiles() throws {
        for target in house.targets where !target.hasPrefix("C") {
            let main = house.files.first { $0.target == target && $0.name.lowercased() == "\(target.lowercased()).swift" }
            guard let main else {
                Issue.record("\(target) has no \(target).swift")
                continue
            }
            let head = main.lines.prefix { $0.hasPrefix("//") }.joined(separator: " ")
            #expect(head.hasPrefix("//") && head.contains(".") && head.count > 40, "\(target)/\(main.name)")
        }
    }

    @Test("files stay of a size that one can read")
    func sizes() {
        for file in house.files { #expect(file.lines.count <= 800, "\(file.target)/\(file.name) has \(file.lines.count) lines") }
    }

    @Test("the reader of this suite tells code from comments and texts")
    func reader() {
        let lines = [
            "let a = \"try! // no\" // try!", "call(\"\\\"\") // x", "let b = \"\"\"", "fatalError(", "\"\"\"", "/// as! b", "import struct Foo.Bar",
        ]
        let code = House.code(lines)
        #expect(code[0].trimmingCharacters(in: .whitespaces) == "let a =")
        #expect(!code[1].contains("x") && code[3].isEmpty && code[5].isEmpty)
        let file = House.File(
            name: "a", target: "b", lines: lines, code: ["package import A", "@preconcurrency import B", "import struct C.D", "importX", "import"])
        #expect(House.imports(file).map(\.module) == ["A", "B", "C"])
    }
}
