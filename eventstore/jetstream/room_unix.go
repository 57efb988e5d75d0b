//go:build linux || darwin

package jetstream

import "syscall"

// FreeBytes is how much room a folder's disk has for this process.
func FreeBytes(dir string) (bytes uint64, ok bool) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return uint64(s.Bavail) * uint64(s.Bsize), err == nil
}
