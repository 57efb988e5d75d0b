//go:build !linux && !darwin

package jetstream

// FreeBytes is not known here.
func FreeBytes(string) (bytes uint64, ok bool) { return 0, false }
