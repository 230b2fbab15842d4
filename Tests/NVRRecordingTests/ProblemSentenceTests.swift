import NVRModel
import NVRRecording
import Testing

@Suite struct ProblemSentenceTests {
    @Test("Whatever a comparison finds is a sentence that has a code, with the file in it")
    func problems() {
        let problems: [IntegrityCheck.Problem] = [
            .missingFile(path: "1/a: b.mp4"), .shortFile(path: "1/a: b.mp4", bytes: 5, expected: 9),
            .longFile(path: "1/a: b.mp4", bytes: 9, expected: 5), .alteredFile(path: "1/a: b.mp4"), .wrongRow(path: "1/a: b.mp4"),
            .unreadable(path: "1/a: b.mp4", why: "not a file"), .unlisted(path: "1/a: b.mp4"), .locked(path: "1/a: b.mp4"),
        ]
        for problem in problems { #expect(Reason(problem.description)?.parameters.first?.text == "1/a: b.mp4", "\(problem)") }
        #expect(Set(problems.compactMap { Reason($0.description)?.code }).count == problems.count)
        #expect(Reason(IntegrityCheck.Problem.database("row 5 missing").description)?.code == "sync_database")
        #expect(Reason(problems[5].description)?.parametersJSON["detail"]?["code"] == "sync_no_file")
    }
}
