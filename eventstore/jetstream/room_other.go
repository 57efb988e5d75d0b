//go:build !linux && !darwin

package jetstream

// freeBytes is not known here.
func freeBytes(string) (bytes uint64, ok bool) { return 0, false }
