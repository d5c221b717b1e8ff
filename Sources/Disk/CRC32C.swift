import CKernels

/// CRC-32C (Castagnoli), the checksum of Kafka's record batches and of every file of this store.
public enum CRC32C {
    /// The checksum of `bytes`, continuing from `seed` (the checksum of what came before, 0 to start). O(n).
    public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        logstore_crc32c(seed, bytes.baseAddress, bytes.count)
    }

    /// The checksum of `bytes`. O(n).
    public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, seed: seed) }
    }

    /// The same by tables alone, as on a processor without the instruction.
    public static func portableChecksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        logstore_crc32c_portable(seed, bytes.baseAddress, bytes.count)
    }
}
