// Package disk knows the files of a store as files: where they are, whose they are, which
// process has them, and how a copy is made. It does not look into them.
//
//   - Where: [PreparePath], [ResolvePath], [ResolveDirectory], [Moved]
//   - Whose: [RequireOwned], and [TakeOwned] of a [Handle], for the process that holds the store,
//     [RequireReadable] and [OpenToRead] for one that only reads it, [TrustedDir] for both;
//     [CreateFiles]
//   - Which process: [TakeLock], [TakeLockTo], [Lock], [HeldError], [HolderOf]
//   - What begins before it is recorded: [Begun] in [BegunDir], [CreateBegun], [ReadBegun], [RemoveBegun]
//   - Copies: [CopyFile], [PartSuffix], [SyncFile], [SyncDir], [RemoveIfExists], [FreeBytes]
package disk
