//go:build unix

package sqlite

import "os"

// writableByOthers reports whether users other than the owner may write.
func writableByOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }
