#if canImport(Glibc)
    import Glibc
#endif

/// What the kernel says of the wall clock.
package enum KernelClock {
    /// `struct timex` on 64-bit Linux (adjtimex(2)): 208 bytes, `modes` first, `status` at byte 40.
    private static let size = 256
    private static let statusOffset = 40
    /// Nothing keeps the clock right.
    private static let unsynchronized: Int32 = 0x0040

    /// Whether something (NTP, as a rule) keeps it right: `STA_UNSYNC` is not set. False where nobody may ask.
    package static var isSynchronized: Bool {
        // Swift's module map of glibc leaves <sys/timex.h> out.
        guard let symbol = dlsym(nil, "adjtimex") else { return false }
        typealias Call = @convention(c) (UnsafeMutableRawPointer) -> Int32
        let adjtimex = unsafeBitCast(symbol, to: Call.self)
        return withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
            // Zero modes: nothing is changed.
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            guard let base = buffer.baseAddress, adjtimex(base) >= 0 else { return false }
            return buffer.load(fromByteOffset: statusOffset, as: Int32.self) & unsynchronized == 0
        }
    }
}
