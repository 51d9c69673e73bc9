package disk

import "golang.org/x/sys/unix"

// FreeBytes is how much room the file system has for this user.
func FreeBytes(path string) (int64, error) {
	var st unix.Statvfs_t
	err := unix.Statvfs(path, &st)
	return int64(st.Bavail) * int64(st.Frsize), err
}
