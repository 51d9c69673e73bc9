package exec

import "io/fs"

// openNonblock is nothing: an open does not wait here.
const openNonblock = 0

// isPrivate returns true: files have access lists here, which modes do not show.
func isPrivate(fs.FileInfo) bool { return true }
