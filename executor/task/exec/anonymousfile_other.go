//go:build unix && !linux

package exec

import "os"

// anonymousFile makes a temporary file and removes its name at once.
func anonymousFile() (*os.File, error) {
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
