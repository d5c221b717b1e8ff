import Disk
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A stretch of a segment that goes from the file to the socket without passing through this process (sendfile).
struct KafkaFileRegion {
    /// What the channel writes.
    let region: FileRegion
    private let handle: NIOFileHandle

    /// nil when the file has no descriptor of the system. The descriptor is doubled: retention may close the file.
    static func make(_ file: any File, position: UInt64, count: Int) -> KafkaFileRegion? {
        guard let descriptor = file.descriptor, let start = Int(exactly: position) else { return nil }
        let own = dup(descriptor)
        guard own >= 0 else { return nil }
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: own)
        return KafkaFileRegion(
            region: FileRegion(fileHandle: handle, readerIndex: start, endIndex: start + count), handle: handle)
    }

    /// Closes the descriptor once the region is written or given up.
    func promise(_ loop: any EventLoop) -> EventLoopPromise<Void> {
        let promise = loop.makePromise(of: Void.self)
        let handle = handle
        promise.futureResult.whenComplete { _ in try? handle.close() }
        return promise
    }
}
