package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Each of the hundreds of processes would sleep for a second at its end otherwise.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	testscript.Main(tidy{m}, map[string]func(){"jointlab": main, "natsd": natsd})
}

// tidy removes what the tests share.
type tidy struct{ *testing.M }

// Run runs the tests, more of them at a time than there are cores: most wait for
// other processes. A number given as -parallel goes first.
func (t tidy) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", "6")
	}
	if os.Getenv(demoVar) == "" {
		defer func() { os.RemoveAll(demonstration.folder) }()
	}
	return t.M.Run()
}

// demoVar names the folder of a register with the demo registry, in a process
// that a test starts from the test binary.
const demoVar = reservedEnv + "DEMO"

// demonstration is a register with the demo registry, loaded once.
var demonstration struct {
	once   sync.Once
	folder string
}

// demoFolder returns the folder of a register with the demo registry, which is
// loaded once. Tests copy it and leave it as it is.
func demoFolder(t testing.TB) string {
	t.Helper()
	demonstration.once.Do(func() {
		if demonstration.folder = os.Getenv(demoVar); demonstration.folder != "" {
			return
		}
		var err error
		if demonstration.folder, err = os.MkdirTemp("", "jointlab-demo-"); err != nil {
			t.Fatal(err)
		}
		startServer(t, demonstration.folder, "--demo").stop(t)
	})
	return demonstration.folder
}

// demonstrated makes data a register with the demo registry, without loading it anew.
func demonstrated(t testing.TB, data string) {
	t.Helper()
	duplicate(t, demoFolder(t), data)
}

// duplicate makes a register's folder of the files of another.
func duplicate(t testing.TB, from, to string) {
	t.Helper()
	err := errors.Join(os.CopyFS(to, os.DirFS(from)), os.Chmod(to, 0o700))
	for _, name := range secretFiles {
		err = errors.Join(err, os.Chmod(filepath.Join(to, name), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run returns a process of this test binary that runs as the command jointlab.
func run(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("jointlab") // put on the PATH by testscript.Main
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// output runs jointlab and returns what it printed.
func output(t testing.TB, args ...string) string {
	t.Helper()
	out, err := run(t, args...).Output()
	if err != nil {
		t.Fatalf("jointlab %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// served is a running jointlab serve.
type served struct {
	cmd *exec.Cmd
	url string
}

var listens = regexp.MustCompile(`listens on (https?://\S+)`)

// startServer runs jointlab serve on data, without limits, and waits until it listens.
func startServer(t testing.TB, data string, args ...string) served {
	t.Helper()
	return startServerTo(t, os.Stderr, data, args...)
}

// startServerTo has the server log to log.
func startServerTo(t testing.TB, log io.Writer, data string, args ...string) served {
	t.Helper()
	cmd := run(t, append([]string{
		"serve", "--data", data, "--listen", "127.0.0.1:0", "--rate", "0", "--concurrent", "0",
	}, args...)...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, out)
			return served{cmd, m[1]}
		}
	}
	t.Fatalf("jointlab serve ended before it listened: %v", cmd.Wait())
	return served{}
}

// stop asks the server to stop and waits until it has.
func (s served) stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("jointlab serve, asked to stop: %v", err)
	}
}

// kill ends the server without warning, as kill -9 does.
func (s served) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// client returns a client of the server with a token for role.
func (s served) client(t testing.TB, data, role, entity string) client {
	t.Helper()
	args := []string{"token", "create", "--data", data, "--role", role, "--subject", "test-" + role}
	if entity != "" {
		args = append(args, "--entity", entity)
	}
	return client{s.url, &http.Client{Timeout: hang}, strings.TrimSpace(output(t, args...))}
}

// skipShort skips a sequential test where the race detector is run, with -short: it
// has nothing to find there.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("one thing after the other")
	}
}

func TestScripts(t *testing.T) {
	skipShort(t)
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATA", data)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}

// hang is how long a test waits before it reports that something hangs. A slow
// machine does not reach it otherwise.
const hang = 8 * time.Minute

// within returns a context that bounds a test's requests.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	t.Cleanup(cancel)
	return ctx
}
