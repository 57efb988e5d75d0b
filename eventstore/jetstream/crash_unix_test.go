//go:build unix

package jetstream

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// fullVar makes a child's disk seem full: no file may grow beyond this many bytes.
const fullVar = "JOINTLAB_TEST_FILE_LIMIT"

func init() {
	var limit uint64
	if n, _ := fmt.Sscan(os.Getenv(fullVar), &limit); n == 1 {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
}

func TestUnwritableDisk(t *testing.T) {
	for _, limit := range []int{30_000, 100_001, 100_300} {
		dir, refused := t.TempDir(), ""
		acknowledged := run(t, dir, fmt.Sprintf("%s=%d", fullVar, limit), func(_ int, line string, _ *os.Process) {
			if strings.HasPrefix(line, "failed") {
				refused = line
			}
		})
		if !strings.Contains(refused, "the store is unavailable") || !strings.Contains(refused, "disk") {
			t.Errorf("the child ended with %q", refused)
		}
		t.Log(refused, len(acknowledged))
		intact(t, dir, acknowledged)
	}
}
