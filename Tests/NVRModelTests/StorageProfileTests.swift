import NVRModel
import Testing

@Suite struct StorageProfileTests {
    @Test(
        "Paths are absolute, climb nowhere, and stay away from the system",
        arguments: [
            "", "data", "./data", "/", "//", "/..", "/data/../etc", "/data/./x", "/etc", "/etc/", "//etc", "/usr/share/x", "/proc/self", "/sys",
            "/dev/shm", "/boot", "/bin", "/sbin/x", "/lib", "/lib64/x", "/run/user", "/data/a\nb", "/data/\0",
            "/data/" + String(repeating: "x", count: 256), "/" + String(repeating: "x/", count: 3000),
        ])
    func refused(path: String) {
        guard case .failure = StorageProfile.checkedPath(path) else {
            Issue.record("\(path.prefix(40)) was taken")
            return
        }
    }

    @Test(
        "Good paths lose only superfluous slashes",
        arguments: [("/data/ssd", "/data/ssd"), ("//data//ssd/", "/data/ssd"), ("/library/ü b", "/library/ü b"), ("/etcetera", "/etcetera")])
    func taken(path: String, stored: String) throws {
        #expect(try StorageProfile.checkedPath(path).get() == stored)
    }

    @Test("A path lies in itself and in what holds it, not in what begins with the same letters")
    func within() {
        #expect(StorageProfile.path("/a/b", isWithin: "/a"))
        #expect(StorageProfile.path("/a", isWithin: "/a"))
        #expect(StorageProfile.path("/a", isWithin: "/"))
        #expect(!StorageProfile.path("/ab", isWithin: "/a"))
        #expect(!StorageProfile.path("/a", isWithin: "/a/b"))
    }
}
