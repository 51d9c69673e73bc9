//go:build unix && !linux

package exec

import "os"

// unnamedFile is a temporary file that is removed at once.
func unnamedFile() (*os.File, error) {
	file, err := os.CreateTemp("", "jobline-guard-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
