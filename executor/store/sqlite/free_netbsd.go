package sqlite

import "golang.org/x/sys/unix"

// freeBytes is how much room the file system has for this user.
func freeBytes(path string) (int64, error) {
	var st unix.Statvfs_t
	err := unix.Statvfs(path, &st)
	return int64(st.Bavail) * int64(st.Frsize), err
}
