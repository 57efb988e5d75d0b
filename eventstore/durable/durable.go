// Package durable replaces files so that a crash, or a disk that is full,
// leaves the old one or the new one, whole.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces the file of a name, or makes it, readable by its owner
// alone. Only one process at a time may write to a name.
func WriteFile(name string, content []byte) error {
	made := name + ".new"
	if err := os.WriteFile(made, content, 0o600); err != nil {
		return err
	}
	return Rename(made, name)
}

// Rename gives a complete file the name of another, in whose place it is then.
// Both are in one folder. Once it returns, content and name are on the disk.
func Rename(made, name string) error {
	if err := Sync(made); err != nil {
		return err
	}
	if err := os.Rename(made, name); err != nil {
		return err
	}
	return Sync(filepath.Dir(name))
}

// Sync writes the content of a file, or the names in a folder, to the disk.
func Sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
