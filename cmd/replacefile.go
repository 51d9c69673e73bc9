package cmd

import (
	"errors"
	"os"
	"path/filepath"
)

// replaceFile writes a file for its user alone. Where it fails, as on a full disk, what was there
// stays as it was.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is gone once it has its name
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
