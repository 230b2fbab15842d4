import NIOCore
import NVRWeb
import Testing

@Suite struct MultipartFormTests {
    private func parse(_ text: String, boundary: String = "b") -> [MultipartForm.Part]? {
        MultipartForm.parse(ByteBuffer(string: text), boundary: boundary)
    }

    @Test("Fields and files come out byte for byte, with the names that the client gave them")
    func parts() throws {
        let body =
            "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--b  \r\n"
            + "content-disposition: form-data; name=\"file\"; filename=\"a;\\\"b\\\".json\"\r\nContent-Type: application/json\r\n\r\n"
            + "{\r\n--c\r\n\r\n}\r\n--b--\r\nepilogue"
        let parts = try #require(parse(body))
        #expect(parts.map(\.name) == ["note", "file"])
        #expect(parts.map { String(buffer: $0.body) } == ["hi", "{\r\n--c\r\n\r\n}"])
        #expect(parts[0].fileName == nil && parts[1].fileName == "a;\"b\".json" && parts[1].contentType == "application/json")
        let empty = try #require(parse("--b\r\nContent-Disposition: form-data; name=x; filename=\"\"\r\n\r\n\r\n--b--"))
        #expect(empty.map { $0.body.readableBytes } == [0] && empty[0].fileName == "")
        #expect(parse("--b--\r\n")?.isEmpty == true)
    }

    @Test(
        "What does not hold to the format is refused",
        arguments: [
            "", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nendless", "--c\r\n\r\n--c--",
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n--b--", "--b\r\n\r\nno name\r\n--b--",
            "--b\r\nContent-Disposition: attachment; name=\"x\"\r\n\r\n1\r\n--b--", "--b\r\nno colon\r\n\r\n1\r\n--b--",
            "--b\r\nContent-Disposition: form-data; filename=\"x\"\r\n\r\n1\r\n--b--",
            "--b\r\nX: " + String(repeating: "y", count: 5000) + "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--",
            String(repeating: "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n", count: 33) + "--b--",
        ])
    func broken(body: String) {
        #expect(parse(body) == nil)
    }

    @Test("Boundaries are read from the header, quoted or not")
    func boundaries() {
        #expect(MultipartForm.boundary("multipart/form-data; boundary=----WebKit1") == "----WebKit1")
        #expect(MultipartForm.boundary("Multipart/Form-Data; charset=x; Boundary=\"a b;c\"") == "a b;c")
        for wrong in ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=b"] {
            #expect(MultipartForm.boundary(wrong) == nil)
        }
        #expect(MultipartForm.boundary("multipart/form-data; boundary=" + String(repeating: "x", count: 71)) == nil)
    }

    @Test("A body cut short at any byte is refused, never crashes")
    func cuts() {
        let whole = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n12345\r\n--b--"
        for count in 0..<(whole.utf8.count - 1) { #expect(parse(String(decoding: whole.utf8.prefix(count), as: UTF8.self)) == nil) }
        #expect(parse(whole)?.count == 1)
    }
}
