package disk

import "golang.org/x/sys/unix"

// FreeBytes is how much room the file system has for this user.
func FreeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	return st.F_bavail * int64(st.F_bsize), err
}
