#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sleeps, to let background threads run.
func usleepMs(_ milliseconds: UInt32) { usleep(milliseconds * 1000) }
