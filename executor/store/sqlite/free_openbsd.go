package sqlite

import "golang.org/x/sys/unix"

// freeBytes is how much room the file system has for this user.
func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	return st.F_bavail * int64(st.F_bsize), err
}
