import Foundation
import NVRModel
import Testing

@Suite struct ReasonTests {
    @Test("Every sentence is found by its own code, with the values that stand in it")
    func all() throws {
        var names: [String: Set<String>] = [:]
        for (code, sentence) in Reason.sentences {
            let places = Self.names(in: sentence)
            var text = sentence
            for (index, name) in places.enumerated() { text = text.replacingOccurrences(of: "{\(name)}", with: "value\(index)") }
            let reason = try #require(Reason(text), "\(sentence)")
            #expect(reason.code == code, "\(sentence)")
            #expect(reason.parameters.map(\.name) == places && reason.parameters.map(\.text) == places.indices.map { "value\($0)" }, "\(text)")
            #expect(names[code].map { $0 == Set(places) } ?? true, "\(code) has sentences with other values")
            #expect(code.wholeMatch(of: /[a-z][a-z_]*/) != nil)
            names[code] = Set(places)
        }
    }

    @Test("A sentence within a sentence is found as well")
    func nested() throws {
        let reason = try #require(Reason("unreachable: the camera cannot be reached: the name door.local does not resolve"))
        #expect(reason.code == "status_unreachable")
        let inner = reason.parametersJSON["reason"]
        #expect(inner?["code"] == "camera_unreachable" && inner?["text"] == "the camera cannot be reached: the name door.local does not resolve")
        #expect(inner?["parameters"]?["detail"]?["code"] == "name_unresolved")
        #expect(inner?["parameters"]?["detail"]?["parameters"]?["host"] == "door.local")
        var object = JSONObject()
        object.say("reason", "the camera answers 418 I'm a teapot")
        #expect(object["reason_code"] == "camera_answers" && object["reason_parameters"] == ["answer": "418 I'm a teapot"])
    }

    @Test("Lists of texts have their codes in a list beside them")
    func lists() {
        var object = JSONObject()
        object.say("notes", ["1/a.mp4: the row has no file", "who knows"])
        #expect(object["notes"] == ["1/a.mp4: the row has no file", "who knows"])
        #expect(
            object["notes_said"] == [
                ["text": "1/a.mp4: the row has no file", "code": "sync_file_missing", "parameters": ["path": "1/a.mp4"]],
                ["text": "who knows", "code": nil, "parameters": nil],
            ])
    }

    @Test("Other texts have no code, however long, odd or deep they are")
    func others() {
        let deep = String(repeating: "sub-stream: ", count: 150) + "the disk is full"
        for text in ["", "{", "the camera", "{reason}; trying", "the camera does not answer ()", String(repeating: "sub-stream: ", count: 10_000)] {
            #expect(Reason(text) == nil, "\(text.prefix(40))")
        }
        #expect(Reason(deep)?.code == "sub_stream" && Reason(deep)?.parametersJSON.serialized().utf8.count ?? 0 < 20_000)
        var object = JSONObject()
        object.say("reason", nil)
        #expect(JSONValue.object(object) == ["reason": nil, "reason_code": nil, "reason_parameters": nil])
    }

    @Test("What the sources say of streams, recordings and volumes has a code")
    func sources() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources")
        // Where such a sentence begins; what stands before its quotation mark may be a condition.
        let openings = [
            #"SourceFailure\(\.\w+, "#, #"StreamProbe\(error: "#, #"VolumeLoss\(\.\w+, "#, #"lose\(\.\w+, "#, #"\.missing\(\.\w+, reason: "#,
            #"self\.reason = [^"\n]*\? "#, #"set\(\.?\w+, "#, #"\.failed\("#, #"health\.reason = "#,
        ]
        let literal = try NSRegularExpression(
            pattern: "(?:" + openings.joined(separator: "|") + #")(?<=[ (])"((?:[^"\\]|\\\([^()]*(?:\([^()]*\))?[^()]*\)|\\.)*)""#,
            options: .anchorsMatchLines)
        var found = 0
        for target in ["NVRMedia", "NVRCameras", "NVRRecording"] {
            let place = folder.appendingPathComponent(target)
            for case let name as String in try #require(FileManager.default.enumerator(atPath: place.path)) where name.hasSuffix(".swift") {
                let text = try String(contentsOf: place.appendingPathComponent(name), encoding: .utf8)
                for match in literal.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
                    guard let range = Range(match.range(at: 1), in: text) else { continue }
                    let sentence = text[range].replacing(/\\\([^()]*(?:\([^()]*\))?[^()]*\)/, with: "value")
                    // The beginning of one that goes on with another.
                    let whole = sentence.hasSuffix(": ") ? sentence + "value" : sentence
                    found += 1
                    #expect(Reason(String(whole)) != nil, "\(name): \(sentence)")
                }
            }
        }
        #expect(found > 35, "\(found) sentences were found")
    }

    private static func names(in sentence: String) -> [String] {
        sentence.matches(of: /\{(\w+)\}/).map { String($0.1) }
    }
}
