package sqlite

import "os"

// writableByOthers cannot be told from the mode here.
func writableByOthers(os.FileInfo) bool { return false }
