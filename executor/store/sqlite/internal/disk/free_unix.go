//go:build unix && !netbsd && !openbsd

package disk

import "golang.org/x/sys/unix"

// FreeBytes is how much room the file system has for this user.
func FreeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	return int64(st.Bavail) * int64(st.Bsize), err
}
