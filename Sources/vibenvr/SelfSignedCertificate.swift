import Crypto
import Foundation
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording
import SwiftASN1
import X509

/// A certificate that the server makes for itself, kept in the data folder so that browsers are asked about it once only.
struct SelfSignedCertificate {
    let certificate: String
    let key: String

    private let folder: String

    /// As long as Apple's systems accept a certificate for.
    private static let days = 825.0
    /// Days before its end from which on a start makes a new one.
    private static let renewal = 30.0

    init(dataPath: String) {
        folder = dataPath + "/tls"
        certificate = folder + "/self-signed.crt"
        key = folder + "/self-signed.key"
    }

    /// Makes both files unless there are some that are still good for a while. Throws `unavailable` when they cannot be written.
    func make(names: [String], addresses: [[UInt8]], now: Date = Date()) throws {
        if isGood(at: now) { return }
        do {
            let privateKey = P256.Signing.PrivateKey()
            let pem = try Self.certificate(for: privateKey, names: names, addresses: addresses, now: now)
            try POSIXFile.makeDirectories(folder)
            // The key goes first: a certificate without its key would be kept.
            try write(privateKey.pemRepresentation + "\n", to: key, mode: 0o600)
            try write(pem + "\n", to: certificate, mode: 0o644)
        } catch {
            throw StartFailure(message: "the self-signed certificate cannot be made in \(folder): \(error)")
        }
    }

    private func isGood(at now: Date) -> Bool {
        // What cannot be read is made anew.
        guard FileManager.default.fileExists(atPath: key),
            let pem = try? String(contentsOfFile: certificate, encoding: .utf8),
            let found = try? Certificate(pemEncoded: pem)
        else { return false }
        return found.notValidBefore <= now && found.notValidAfter.timeIntervalSince(now) > Self.renewal * 86_400
    }

    private static func certificate(
        for key: P256.Signing.PrivateKey, names: [String], addresses: [[UInt8]], now: Date
    ) throws -> String {
        let subject = try DistinguishedName {
            CommonName(names.first ?? "localhost")
            OrganizationName("VibeNVR")
        }
        let reachable =
            names.map { GeneralName.dnsName($0) } + addresses.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: $0[...])) }
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.notCertificateAuthority)
            Critical(KeyUsage(digitalSignature: true))
            try ExtendedKeyUsage([.serverAuth])
            SubjectAlternativeNames(reachable)
        }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(key.publicKey),
            // An hour of grace for clients whose clocks are behind.
            notValidBefore: now.addingTimeInterval(-3600), notValidAfter: now.addingTimeInterval(days * 86_400 - 3600),
            issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: Certificate.PrivateKey(key))
        return try certificate.serializeAsPEM().pemString
    }

    /// Beside its place first, so that nobody reads half a file.
    private func write(_ text: String, to path: String, mode: mode_t) throws {
        let part = path + ".part"
        let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw NVRError(.unavailable, String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard fchmod(descriptor, mode) == 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            rename(part, path) == 0
        else { throw NVRError(.unavailable, String(cString: strerror(errno))) }
    }
}

/// Names and addresses under which this machine is reached, for its certificate.
enum MachineNames {
    static func names(_ host: String) -> [String] {
        var names = ["localhost"]
        let size = 256
        var buffer = [CChar](repeating: 0, count: size)
        if gethostname(&buffer, size - 1) == 0 {
            let own = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if isName(own) { names += [own, own + ".local"] }
        }
        if isName(host) { names.append(host) }
        var seen: Set<String> = []
        return names.filter { seen.insert($0.lowercased()).inserted }
    }

    /// A host name and no address; only ASCII goes into a certificate.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 63 && text.contains { $0.isLetter }
            && text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == 0x2D || $0 == 0x2E }
    }

    /// Of every interface, loopback first.
    static func addresses() -> [[UInt8]] {
        var found: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return found }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr else { continue }
            switch Int32(address.pointee.sa_family) {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
                    found.append(withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) })
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                    found.append(withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) })
                }
            default: continue
            }
        }
        var seen: Set<[UInt8]> = []
        return found.filter { seen.insert($0).inserted }
    }
}
