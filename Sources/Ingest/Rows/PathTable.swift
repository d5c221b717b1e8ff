/// A place in the records: a name inside an object, and what columns the values found there go to.
struct PathNode {
    /// The object the name is in: the root's node, or that of the name it is the value of.
    var parent: Int32
    /// The name, unescaped, at the end of `path`.
    var keyCount: Int32
    /// Whether the name reads the same in JSON, so that raw bytes may be compared with it.
    var isPlain: Bool
    /// Names from the root down, joined by dots; owned by the table.
    var path: UnsafeMutablePointer<UInt8>
    var pathCount: Int32
    /// The table's column of that name when it takes any value it can convert; -1 when there is none.
    var declared: Int32 = -1

    /// The name alone.
    var key: UnsafePointer<UInt8> { UnsafePointer(path + Int(pathCount - keyCount)) }
}

/// All places seen so far, found by object and name without building the path.
struct PathTable: ~Copyable {
    /// The node of the record itself.
    static let root: Int32 = 0

    private(set) var nodes: UnsafeMutablePointer<PathNode>
    private(set) var count = 0
    private var capacity = 64
    private var slots: UnsafeMutablePointer<Int32>
    private var slotMask = 255
    /// How many places are remembered at most.
    let limit: Int

    init(limit: Int) {
        self.limit = limit
        nodes = .allocate(capacity: 64)
        slots = .allocate(capacity: 256)
        slots.initialize(repeating: -1, count: 256)
        let empty = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
        nodes.initialize(to: PathNode(parent: -1, keyCount: 0, isPlain: false, path: empty, pathCount: 0))
        count = 1
    }

    deinit {
        for index in 0..<count { nodes[index].path.deallocate() }
        nodes.deallocate()
        slots.deallocate()
    }

    private static func hash(_ parent: Int32, _ key: UnsafePointer<UInt8>, _ keyCount: Int) -> Int {
        var hash = UInt64(truncatingIfNeeded: parent) &+ 0x9e37_79b9_7f4a_7c15
        for index in 0..<keyCount { hash = (hash ^ UInt64(key[index])) &* 0x0000_0100_0000_01b3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 29)
    }

    /// Compares short byte strings, eight at a time with the last eight overlapping.
    @inline(__always)
    static func equal(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let left = UnsafeRawPointer(left)
        let right = UnsafeRawPointer(right)
        if count >= 8 {
            var at = 0
            while at &+ 8 < count {
                if left.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    != right.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                {
                    return false
                }
                at &+= 8
            }
            return left.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
                == right.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        }
        if count >= 4 {
            return left.loadUnaligned(as: UInt32.self) == right.loadUnaligned(as: UInt32.self)
                && left.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
                    == right.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
        }
        var at = 0
        while at < count {
            if left.load(fromByteOffset: at, as: UInt8.self) != right.load(fromByteOffset: at, as: UInt8.self) {
                return false
            }
            at &+= 1
        }
        return true
    }

    /// The node of name `key` in the object of node `parent`; -1 when it was never seen.
    func find(_ parent: Int32, _ key: UnsafePointer<UInt8>, _ keyCount: Int) -> Int32 {
        var slot = Self.hash(parent, key, keyCount) & slotMask
        while true {
            let index = slots[slot]
            if index < 0 { return -1 }
            let node = nodes + Int(index)
            if node.pointee.parent == parent && Int(node.pointee.keyCount) == keyCount
                && Self.equal(node.pointee.key, key, keyCount)
            {
                return index
            }
            slot = (slot + 1) & slotMask
        }
    }

    /// Adds a place that `find` did not find; -1 when there are `limit` already.
    mutating func add(_ parent: Int32, _ key: UnsafePointer<UInt8>, _ keyCount: Int) -> Int32 {
        guard count < limit else { return -1 }
        let above = nodes[Int(parent)]
        let prefix = parent == Self.root ? 0 : Int(above.pathCount) + 1
        let pathCount = prefix + keyCount
        guard pathCount <= Int(Int32.max) else { return -1 }
        let path = UnsafeMutablePointer<UInt8>.allocate(capacity: max(pathCount, 1))
        if prefix > 0 {
            path.update(from: above.path, count: prefix - 1)
            path[prefix - 1] = UInt8(ascii: ".")
        }
        (path + prefix).update(from: key, count: keyCount)
        var isPlain = true
        for index in 0..<keyCount
        where key[index] < 0x20 || key[index] == UInt8(ascii: "\"")
            || key[index] == UInt8(ascii: "\\")
        {
            isPlain = false
        }
        if count == capacity { growNodes() }
        let index = Int32(count)
        (nodes + count).initialize(
            to: PathNode(
                parent: parent, keyCount: Int32(keyCount), isPlain: isPlain, path: path, pathCount: Int32(pathCount)))
        count += 1
        if count * 2 > slotMask { growSlots() } else { insert(index) }
        return index
    }

    private mutating func growNodes() {
        let grown = UnsafeMutablePointer<PathNode>.allocate(capacity: capacity * 2)
        grown.moveInitialize(from: nodes, count: count)
        nodes.deallocate()
        nodes = grown
        capacity *= 2
    }

    private mutating func growSlots() {
        slots.deallocate()
        let size = (slotMask + 1) * 2
        slots = .allocate(capacity: size)
        slots.initialize(repeating: -1, count: size)
        slotMask = size - 1
        for index in 1..<count { insert(Int32(index)) }
    }

    private func insert(_ index: Int32) {
        let node = nodes[Int(index)]
        var slot = Self.hash(node.parent, node.key, Int(node.keyCount)) & slotMask
        while slots[slot] >= 0 { slot = (slot + 1) & slotMask }
        slots[slot] = index
    }
}
